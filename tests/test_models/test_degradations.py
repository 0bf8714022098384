import multiprocessing

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from sr4ir_mm.errors import ConfigError
from sr4ir_mm.models import BicubicDownsample, Compose, GaussianNoise, degradations
from sr4ir_mm.models.degradations import image_generator, quantize
from sr4ir_mm.models.padding import pad_to_multiple, pad_to_size
from sr4ir_mm.registry import MODELS
from tests.conftest import DATA, cascade_cfg, seg_batch


@pytest.fixture(scope='module')
def golden():
    return {name: torch.from_numpy(array) for name, array in np.load(DATA / 'degradation.npz').items()}


@pytest.mark.parametrize('scale', [2, 4, 8])
def test_equals_the_reference(golden, scale):
    assert torch.equal(BicubicDownsample(scale)(golden['hr']), golden[f'lr_x{scale}'])


@pytest.mark.parametrize('scale', [4, 8])
def test_odd_sizes_are_padded_by_replication(golden, scale):
    padded = pad_to_multiple(golden['odd_hr'], scale, 'replicate')
    assert torch.equal(BicubicDownsample(scale)(padded), golden[f'odd_lr_x{scale}'])


def test_antialias_widens_the_kernel():
    checkerboard = (torch.arange(32)[:, None] + torch.arange(32)) % 2 * torch.ones(1, 3, 1, 1)
    smooth = BicubicDownsample(4, antialias=True, quantize=False)(checkerboard)
    expected = F.interpolate(checkerboard, size=(8, 8), mode='bicubic', antialias=True)
    assert torch.equal(smooth, expected)
    assert not torch.equal(smooth, BicubicDownsample(4, quantize=False)(checkerboard))


def test_quantize_is_8_bits():
    image = torch.tensor([-0.5, 0.0, 0.4999 / 255, 0.5001 / 255, 100.4 / 255, 1.7]).view(1, 1, 1, 6)
    assert (quantize(image) * 255).flatten().tolist() == pytest.approx([0, 0, 0, 1, 100, 255])


def test_compose_multiplies_the_scales():
    steps = Compose(
        [dict(type='sr4ir_mm.BicubicDownsample', scale=2), dict(type='sr4ir_mm.BicubicDownsample', scale=4)]
    )
    assert steps.scale == 8
    image = torch.rand(1, 3, 32, 32)
    assert torch.equal(steps(image), BicubicDownsample(4)(BicubicDownsample(2)(image)))


def test_reflection_falls_back_to_replication_where_an_image_is_too_small():
    image = torch.rand(1, 3, 2, 8)
    assert torch.equal(pad_to_size(image, 3, 10, 'reflect'), F.pad(image, (0, 2, 0, 1), mode='reflect'))
    assert torch.equal(pad_to_size(image, 4, 8, 'reflect'), F.pad(image, (0, 0, 0, 2), mode='replicate'))


@pytest.mark.parametrize('evaluate', [False, True])
def test_noise_has_the_statistics_that_sigma_says(evaluate):
    """Mean and deviation within five standard errors; both ends of the range are crossed."""
    image = torch.zeros(4, 3, 128, 128)
    image[:, :, 64:] = 1
    noise = GaussianNoise(25).train(not evaluate)
    error = (noise(image, image_generator('a.png') if evaluate else None) - image) * 255
    count = error.numel()
    assert abs(error.mean().item()) < 5 * 25 / count**0.5
    assert abs(error.std().item() - 25) < 5 * 25 / (2 * count) ** 0.5
    # not clipped: half of the values are outside; not rounded: hardly any value twice
    assert ((image + error / 255 < 0) | (image + error / 255 > 1)).float().mean().item() == pytest.approx(0.5, abs=0.01)
    assert len(error.unique()) > 0.9 * count
    # a normal distribution: within one, two and three sigma
    within = [(error.abs() < 25 * k).float().mean().item() for k in (1, 2, 3)]
    assert within == pytest.approx([0.6827, 0.9545, 0.9973], abs=0.005)
    # independent: from pixel to pixel, channel to channel, image to image
    for one, other in ((error[..., 1:], error[..., :-1]), (error[:, 1:], error[:, :-1]), (error[1:], error[:-1])):
        assert abs((one * other).mean().item()) / 625 < 5 / one.numel() ** 0.5


def sigmas_of(noise, count=600):
    error = noise(torch.zeros(count, 3, 16, 16)) * 255
    return error.flatten(1).std(1)


def test_a_set_of_sigmas_gives_each_image_one_of_them():
    sigmas = sigmas_of(GaussianNoise([15, 25, 50]))
    nearest = (sigmas[:, None] - torch.tensor([15.0, 25.0, 50.0])).abs().min(1)
    assert (nearest.values / torch.tensor([15.0, 25.0, 50.0])[nearest.indices] < 0.15).all()
    assert (torch.bincount(nearest.indices) / 600).tolist() == pytest.approx([1 / 3] * 3, abs=0.08)


def test_a_range_of_sigmas_is_uniform():
    sigmas = sigmas_of(GaussianNoise(dict(min=10, max=50)))
    assert 9 < sigmas.min() < 13 and 47 < sigmas.max() < 56
    assert (torch.histc(sigmas, 4, 10, 50) / 600).tolist() == pytest.approx([0.25] * 4, abs=0.08)


@pytest.mark.parametrize('sigma', [-1, [], 'a', True, [15, -1], dict(min=1), dict(min=9, max=1), float('nan'), None])
def test_a_sigma_that_is_none_is_refused(sigma):
    with pytest.raises(ConfigError, match=r'GaussianNoise\.sigma is .*allowed: a number from 0, on the scale of 255'):
        GaussianNoise(sigma)


def test_training_noise_follows_the_random_state():
    noise, image = GaussianNoise(25), torch.rand(1, 3, 8, 8)
    torch.manual_seed(3)
    first = noise(image)
    assert not torch.equal(noise(image), first)
    torch.manual_seed(3)
    assert torch.equal(noise(image), first)


@pytest.mark.parametrize('sigma', [25, [15, 50], dict(min=0, max=55)])
def test_two_processes_train_with_the_noise_of_one(monkeypatch, sigma):
    """Dealt in turns, as a distributed sampler deals the images."""
    noise, image = GaussianNoise(sigma), torch.rand(4, 3, 8, 8)
    torch.manual_seed(3)
    expected = noise(image)
    monkeypatch.setattr(degradations.noise, 'get_world_size', lambda: 2)
    for rank in range(2):
        monkeypatch.setattr(degradations.noise, 'get_rank', lambda rank=rank: rank)
        torch.manual_seed(3)
        assert torch.equal(noise(image[rank::2]), expected[rank::2])


def test_noise_composes_with_downsampling():
    """SR of noisy images; two noises of one image are not the same twice."""
    steps = Compose(
        [
            dict(type='sr4ir_mm.BicubicDownsample', scale=4),
            dict(type='sr4ir_mm.GaussianNoise', sigma=10),
            dict(type='sr4ir_mm.GaussianNoise', sigma=10),
        ]
    ).eval()
    assert steps.scale == 4
    image = torch.rand(1, 3, 256, 256)
    error = (steps(image, image_generator('a.png')) - steps.degradations[0](image)) * 255
    assert error.shape[-1] == 64
    assert error.std().item() == pytest.approx(200**0.5, rel=0.03)  # equal noise would add up to 20


def noisy_cascade(**kwargs):
    # of the libraries it is mmdet that batches images of several sizes
    cfg = dict(
        type='sr4ir_mm.CascadeDetector',
        scale=1,
        degradation=dict(type='sr4ir_mm.GaussianNoise', sigma=25),
        restorer=dict(type='torch.nn.Identity'),
        recognizer=None,
        losses={},
        data_preprocessor=dict(type='DetDataPreprocessor', mean=[0.0, 0.0, 0.0], std=[1.0, 1.0, 1.0]),
    )
    return MODELS.build(cascade_cfg(**dict(cfg, **kwargs))).eval()


def evaluate(model, sizes, order=None):
    """The degraded images of a batch by their paths; each image has the content that its index says."""
    order = order if order is not None else range(len(sizes))
    batches = [seg_batch(sizes[index], batch=1, seed=index) for index in order]
    for index, batch in zip(order, batches):
        batch['data_samples'][0].set_metainfo(dict(img_path=f'/somewhere/images/{index}.png'))
    batch = {key: [each[key][0] for each in batches] for key in ('inputs', 'data_samples')}
    return {sample.img_path: sample.lr for sample in model.test_step(batch)}


SIZES = [(32, 40), (24, 24), (37, 21), (32, 40)]


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_in_evaluation_each_image_has_its_own_noise():
    """Whatever the batch, the order and what was drawn before; another seed draws another one."""
    model = noisy_cascade()
    together = evaluate(model, SIZES)
    assert same(evaluate(model, SIZES), together)
    assert same(evaluate(noisy_cascade(), SIZES, order=[2, 0, 3, 1]), together)
    alone = {name: lr for index in range(4) for name, lr in evaluate(model, SIZES, order=[index]).items()}
    assert same(alone, together)
    other = evaluate(noisy_cascade(degradation=dict(type='sr4ir_mm.GaussianNoise', sigma=25, seed=1)), SIZES)
    assert not any(torch.equal(other[name], together[name]) for name in other)


def test_noise_behind_downsampling_does_not_depend_on_the_batch():
    degradation = dict(
        type='sr4ir_mm.Compose',
        degradations=[dict(type='sr4ir_mm.BicubicDownsample', scale=4), dict(type='sr4ir_mm.GaussianNoise', sigma=25)],
    )
    model = noisy_cascade(scale=4, degradation=degradation, restorer=dict(type='sr4ir_mm.Interpolation', scale=4))
    together = evaluate(model, SIZES)
    assert [lr.shape[-2:] for lr in together.values()] == [(8, 10), (6, 6), (10, 6), (8, 10)]
    alone = {name: lr for index in range(4) for name, lr in evaluate(model, SIZES, order=[index]).items()}
    assert same(alone, together)


def test_each_image_has_another_noise_and_a_moved_folder_the_same():
    names = ('a/1.png', 'a/2.png', 'b/1.png', '/data/a/1.png')
    draw = [torch.randn(8, generator=image_generator(name)) for name in names]
    assert not any(torch.equal(draw[0], other) for other in draw[1:3])
    assert torch.equal(draw[0], draw[3])


def _evaluate_share(rank, path):
    torch.set_num_threads(1)  # or a fork may wait for ever for the threads of its parent
    torch.manual_seed(rank)
    torch.save(evaluate(noisy_cascade(), SIZES, order=range(rank, 4, 2)), path)


def test_two_processes_draw_what_one_draws(tmp_path):
    """Each of two processes has half of the images, as a distributed sampler deals them."""
    context = multiprocessing.get_context('fork')
    paths = [tmp_path / f'{rank}.pth' for rank in range(2)]
    processes = [context.Process(target=_evaluate_share, args=(rank, path)) for rank, path in enumerate(paths)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    dealt = {**torch.load(paths[0]), **torch.load(paths[1])}
    together = evaluate(noisy_cascade(), SIZES)
    assert same({name: dealt[name] for name in together}, together)


def test_evaluation_without_a_path_is_refused():
    batch = seg_batch(batch=1)
    del batch['data_samples'][0].img_path
    with pytest.raises(ConfigError, match='a sample has no `img_path`; add it to meta_keys'):
        noisy_cascade().test_step(batch)
