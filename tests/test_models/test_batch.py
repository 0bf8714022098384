import numpy as np
import torch
import torch.nn.functional as F

from sr4ir_mm.models.batch import blend
from tests.helpers.builders import DATA


def test_cqmix_equals_the_reference():
    golden = {name: torch.from_numpy(array) for name, array in np.load(DATA / 'cqmix.npz').items()}
    mixed = blend(golden['sr'], golden['hr'], golden['grid'][:, 0])
    assert torch.equal(mixed, golden['mixed'])
    odd = golden['mask_37x50'].view(1, 1, 37, 50)
    grid = golden['grid_37x50'].reshape(1, *golden['grid_37x50'].shape[-2:])
    assert torch.equal(
        blend(torch.ones(1, 3, 37, 50), torch.zeros(1, 3, 37, 50), grid), odd.expand(1, 3, 37, 50).float()
    )


def test_all_ones_is_sr_and_all_zeros_is_hr():
    sr, hr = torch.randn(2, 3, 12, 20), torch.rand(2, 3, 12, 20)
    assert torch.equal(blend(sr, hr, torch.ones(2, 4, 4)), sr)
    assert torch.equal(blend(sr, hr, torch.zeros(2, 4, 4)), hr)


def test_gradient_reaches_sr_where_the_grid_is_one():
    sr = torch.rand(1, 3, 8, 8, requires_grad=True)
    grid = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])
    blend(sr, torch.rand(1, 3, 8, 8), grid).sum().backward()
    assert torch.equal(sr.grad[0, 0], F.interpolate(grid[None], size=(8, 8))[0, 0])
