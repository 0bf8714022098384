import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sr4ir_mm.models import BicubicDownsample, Compose
from sr4ir_mm.models.degradations import quantize
from sr4ir_mm.models.padding import pad_to_multiple, pad_to_size

from tests.conftest import DATA


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
    steps = Compose([dict(type='sr4ir_mm.BicubicDownsample', scale=2), dict(type='sr4ir_mm.BicubicDownsample', scale=4)])
    assert steps.scale == 8
    image = torch.rand(1, 3, 32, 32)
    assert torch.equal(steps(image), BicubicDownsample(4)(BicubicDownsample(2)(image)))


def test_reflection_falls_back_to_replication_where_an_image_is_too_small():
    image = torch.rand(1, 3, 2, 8)
    assert torch.equal(pad_to_size(image, 3, 10, 'reflect'), F.pad(image, (0, 2, 0, 1), mode='reflect'))
    assert torch.equal(pad_to_size(image, 4, 8, 'reflect'), F.pad(image, (0, 0, 0, 2), mode='replicate'))
