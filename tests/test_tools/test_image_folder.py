"""PSNR on a folder of images, as on Kodak: any sizes, σ from the config, 8 bits, no border."""

import json
import math

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from skimage import data
from skimage.restoration import denoise_nl_means

from sr4ir_mm.errors import ConfigError
from sr4ir_mm.evaluation import LPIPS, NIQE, PSNR
from sr4ir_mm.models import MultiScaleDenoiser
from sr4ir_mm.models.degradations import image_generator
from tests.helpers.builders import ROOT
from tests.helpers.scripts import finish, start
from tests.test_evaluation.test_restoration import vgg

KODAK = str(ROOT / 'configs/denoise_highlevel/nlm_kodak.py')


@pytest.fixture
def folder(tmp_path):
    """Two smooth images, one upright and one lying."""
    root = tmp_path / 'folder'
    root.mkdir()
    rng = np.random.default_rng(0)
    for name, size in (('a', (36, 24)), ('b', (24, 36))):
        image = cv2.resize(rng.integers(60, 190, (3, 3, 3), dtype=np.uint8), size, interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(root / f'{name}.png'), image)
    return root


@pytest.fixture
def test(tool, folder, tmp_path):
    def run(config=KODAK, *arguments, options=()):
        # a name of its own: MMEngine keeps the scope of an experiment, and two of one name in a second are one
        options = [
            f'experiment_name={tmp_path.name}',
            f'test_dataloader.dataset.data_root={folder}',
            'test_dataloader.num_workers=0',
            *options,
        ]
        return tool('test').main([config, '--work-dir', str(tmp_path / 'work'), *arguments, '--cfg-options', *options])

    return run


def psnr_by_hand(folder, sigma, restore):
    values = []
    for path in sorted(folder.glob('*.png')):
        clean = cv2.imread(str(path))[..., ::-1].astype(np.float64)
        noise = torch.randn(3, *clean.shape[:2], generator=image_generator(str(path))).permute(1, 2, 0).numpy()
        restored = np.clip(np.round(restore((clean + sigma * noise) / 255) * 255), 0, 255)
        error = (restored - clean)[3:-3, 3:-3]
        values.append(10 * math.log10(255**2 / np.mean(error**2)))
    return sum(values) / len(values)


@pytest.mark.parametrize('sigma', [15, 50])
def test_psnr_is_that_of_the_formula(test, folder, sigma):
    result = test(options=[f'model.degradation.sigma={sigma}', f'model.restorer.sigma={sigma}'])

    def restore(noisy):
        return denoise_nl_means(noisy, 5, 6, 0.8 * sigma / 255, fast_mode=True, sigma=sigma / 255, channel_axis=-1)

    assert result == dict(PSNR=pytest.approx(psnr_by_hand(folder, sigma, restore), abs=2e-3))
    assert test(options=[f'model.degradation.sigma={sigma}', f'model.restorer.sigma={sigma}']) == result


def test_noisy_images_have_the_psnr_of_their_noise(test, folder, tmp_path):
    """Far from black and white: nothing is clipped, so only the rounding is added to the noise."""
    cv2.imwrite(str(folder / 'a.png'), np.full((128, 128, 3), 128, np.uint8))
    (folder / 'b.png').unlink()
    cfg = Config.fromfile(KODAK)
    cfg.model.restorer = dict(type='torch.nn.Identity')
    cfg.dump(str(tmp_path / 'noisy.py'))
    psnr = test(str(tmp_path / 'noisy.py'), options=['model.degradation.sigma=20'])['PSNR']
    assert psnr == pytest.approx(10 * math.log10(255**2 / (20**2 + 1 / 12)), abs=0.15)


def test_a_denoiser_of_a_joint_training_gets_psnr_lpips_and_niqe(test, folder, tmp_path):
    """Its restorer alone comes from the checkpoint; the figures are those of the metrics on its images."""
    (folder / 'b.png').unlink()
    cv2.imwrite(str(folder / 'a.png'), data.astronaut()[:96, 100:292, ::-1])
    torch.manual_seed(0)
    net = MultiScaleDenoiser().eval()
    state = {f'restorer.{name}': value for name, value in net.state_dict().items()}
    torch.save(dict(state_dict=dict(state, **{'recognizer.weight': torch.zeros(1)})), tmp_path / 'joint.pth')
    vgg(tmp_path / 'vgg.pth')
    found = test(
        str(ROOT / 'configs/denoise_highlevel/joint_kodak.py'),
        options=[
            f'model.restorer.init_cfg.checkpoint={tmp_path}/joint.pth',
            f'test_evaluator.1.backbone={tmp_path}/vgg.pth',
            'model.degradation.sigma=15',
        ],
    )
    hr = torch.from_numpy(data.astronaut()[:96, 100:292].copy()).permute(2, 0, 1) / 255
    noisy = hr + torch.randn(hr.shape, generator=image_generator(str(folder / 'a.png'))) * (15 / 255)
    with torch.no_grad():
        sr = net(noisy[None])[0]
    metrics = dict(PSNR=PSNR(border=3), LPIPS=LPIPS(border=3, backbone=str(tmp_path / 'vgg.pth')), NIQE=NIQE())
    assert found == {name: pytest.approx(metric.score(sr, hr), rel=1e-3) for name, metric in metrics.items()}


def test_two_processes_find_what_one_finds(test, folder, tmp_path):
    """Three images for two processes: each image has its own noise, whoever loads it."""
    cv2.imwrite(str(folder / 'c.png'), cv2.imread(str(folder / 'a.png'))[:, ::-1])
    torch.save(dict(state_dict={}), tmp_path / 'nothing.pth')  # non-local means has no weights
    output = finish(
        start(
            'dist_test.sh',
            KODAK,
            tmp_path / 'nothing.pth',
            2,
            '--work-dir',
            tmp_path / 'two',
            '--cfg-options',
            f'test_dataloader.dataset.data_root={folder}',
        ),
        timeout=300,
    )
    found = json.loads(next((tmp_path / 'two').glob('*/*.json'), None).read_text())
    assert found['PSNR'] == pytest.approx(test()['PSNR'], abs=1e-9), output


def test_a_picture_of_each_image(test, tmp_path):
    test(KODAK, '--show-dir', str(tmp_path / 'show'))
    assert {path.name for path in (tmp_path / 'show').iterdir()} == {'a.png', 'b.png', 'overview.png'}


def test_a_folder_that_is_not_there_is_named(test):
    with pytest.raises(ConfigError, match="test_dataloader.dataset.data_root is 'nowhere', which does not exist"):
        test(options=['test_dataloader.dataset.data_root=nowhere'])
