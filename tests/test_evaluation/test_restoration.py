import math

import numpy as np
import pytest
import torch
import torch.distributed as dist
from scipy.ndimage import gaussian_filter

from sr4ir_mm.errors import ConfigError
from sr4ir_mm.evaluation import LPIPS, NIQE, PSNR, SSIM
from tests.helpers.processes import run_processes


def images(size=(40, 48), seed=0):
    """A smooth image and a noisy one, on the grid of 8 bits."""
    rng = np.random.RandomState(seed)
    hr = gaussian_filter(rng.rand(3, *size), (0, 2, 2)) * 4 - 1.5
    sr = hr + 0.1 * rng.randn(3, *size)
    return dict(sr=torch.from_numpy(sr).float(), hr=torch.from_numpy((hr.clip(0, 1) * 255).round() / 255).float())


def evaluate(metric, *samples):
    metric.process({}, samples)
    return metric.evaluate(len(samples))


def luma(image):
    return 16 + 65.481 * image[0] + 128.553 * image[1] + 24.966 * image[2]


@pytest.mark.parametrize('rounded', [True, False])
@pytest.mark.parametrize('convert_to', [None, 'Y'])
def test_ssim_equals_that_of_skimage(convert_to, rounded):
    from skimage.metrics import structural_similarity

    sample = images()
    sr = sample['sr'].double().clamp(0, 1).numpy()
    sr, hr = (sr * 255).round() / 255 if rounded else sr, sample['hr'].double().numpy()
    sr, hr = (luma(sr)[None], luma(hr)[None]) if convert_to == 'Y' else (sr * 255, hr * 255)
    cut = np.s_[:, 3:-3, 3:-3]
    expected = structural_similarity(
        sr[cut], hr[cut], channel_axis=0, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    found = evaluate(SSIM(border=3, convert_to=convert_to, rounded=rounded), sample)['SSIM']
    assert found == pytest.approx(expected, abs=1e-6)


def test_ssim_of_equal_images_is_one():
    hr = images()['hr']
    assert evaluate(SSIM(), dict(sr=hr, hr=hr)) == {'SSIM': pytest.approx(1)}


def test_psnr_without_rounding():
    hr = torch.full((3, 20, 20), 100 / 255)
    sample = dict(sr=hr + 0.3 / 255, hr=hr)
    assert evaluate(PSNR(), sample)['PSNR'] == math.inf
    assert evaluate(PSNR(rounded=False), sample)['PSNR'] == pytest.approx(20 * math.log10(255 / 0.3), abs=1e-2)


def test_niqe_needs_no_clean_image_and_sees_blur():
    from skimage.data import camera

    photo = torch.from_numpy(camera()[:192, :192] / 255).float().expand(3, -1, -1)
    blurred = torch.from_numpy(gaussian_filter(photo.numpy(), (0, 3, 3)))
    good, bad = (evaluate(NIQE(), dict(sr=image))['NIQE'] for image in (photo, blurred))
    assert 0 < good < bad


def vgg(path):
    """Random weights under torchvision's names."""
    from torchvision.models import vgg16

    torch.manual_seed(0)
    features = vgg16(weights=None).features
    torch.save({f'features.{name}': value for name, value in features.state_dict().items()}, path)
    return features


def test_lpips_uses_the_weights_of_a_path(tmp_path):
    import lpips

    features = vgg(tmp_path / 'vgg.pth')
    sample = images((64, 72))
    expected = 0
    both = [sample['sr'].clamp(0, 1), sample['hr']]
    both[0] = (both[0] * 255).round() / 255
    both = [image[None, :, 8:-8, 8:-8] * 2 - 1 for image in both]
    shift, scale = torch.tensor([-0.030, -0.088, -0.188]), torch.tensor([0.458, 0.448, 0.450])
    both = [(image - shift[:, None, None]) / scale[:, None, None] for image in both]
    linear = torch.load(f'{lpips.__path__[0]}/weights/v0.1/vgg.pth', map_location='cpu')
    with torch.no_grad():
        for index, layer in enumerate(features[:30]):
            both = [layer(image) for image in both]
            if index in (3, 8, 15, 22, 29):  # relu1_2, 2_2, 3_3, 4_3, 5_3
                one, other = (image / (image.norm(dim=1, keepdim=True) + 1e-10) for image in both)
                weight = linear[f'lin{(3, 8, 15, 22, 29).index(index)}.model.1.weight']
                expected += ((one - other) ** 2 * weight).sum(1).mean().item()
    found = evaluate(LPIPS(backbone=str(tmp_path / 'vgg.pth'), border=8), sample)['LPIPS']
    assert found == pytest.approx(expected, rel=1e-4)


def test_lpips_without_weights_says_what_to_do(tmp_path):
    with pytest.raises(
        ConfigError,
        match=r'lacks the weights of vgg16 .*no.pth.*put the file https://.*vgg16.*\.pth into '
        r'.*checkpoints or name it in LPIPS.backbone, or leave .*: --skip-metrics LPIPS',
    ):
        LPIPS(backbone=str(tmp_path / 'no.pth'))


@pytest.mark.parametrize(
    'metric, size, message',
    [
        (SSIM(), (16, 40), 'SSIM.border is 8, which leaves nothing'),
        (SSIM(), (24, 40), 'SSIM needs images of at least 11×11 pixels inside its border; one has 8×24'),
        (NIQE(), (96, 100), 'NIQE needs images of at least 96×192'),
    ],
)
def test_small_images_are_refused(metric, size, message):
    with pytest.raises(ConfigError, match=message):
        metric.process({}, [dict(sr=torch.rand(3, *size), hr=torch.rand(3, *size))])


def test_mistakes():
    with pytest.raises(ConfigError, match='SSIM needs the clean image'):
        SSIM().process({}, [dict(sr=torch.rand(3, 40, 40))])
    with pytest.raises(ConfigError, match="SSIM.convert_to is 'y'; allowed: None, 'Y'"):
        SSIM(convert_to='y')
    with pytest.raises(ConfigError, match='SSIM.border is -1'):
        SSIM(border=-1)


def test_each_benchmark_has_its_mean():
    found = evaluate(SSIM(), dict(images(seed=0), benchmark='a'), dict(images(seed=1), benchmark='b'))
    assert set(found) == {'a/SSIM', 'b/SSIM'}


def _share(backbone):
    """What one process finds of three images, or of the first and third, or of the second and the first again."""
    # the last as a sampler fills up
    share = [0, 1, 2] if dist.get_world_size() == 1 else ([0, 2], [1, 0])[dist.get_rank()]
    found = {}
    for metric in (PSNR(), SSIM(), NIQE(), LPIPS(backbone=backbone)):
        metric.process({}, [images((96, 192), seed) for seed in share])
        found.update(metric.evaluate(3))
    return found


def test_two_processes_find_what_one_finds(tmp_path):
    vgg(tmp_path / 'vgg.pth')
    one, two = (run_processes(size, _share, str(tmp_path / 'vgg.pth')) for size in (1, 2))
    assert set(one[0]) == {'PSNR', 'SSIM', 'NIQE', 'LPIPS'}
    assert two == [pytest.approx(one[0], rel=1e-6)] * 2
