import pytest
import torch
from sr4ir_mm.models.tiling import restore_in_tiles
from sr4ir_mm.registry import MODELS

from tests.conftest import edsr


def network(**kwargs):
    torch.manual_seed(0)
    return MODELS.build(dict(edsr(), _scope_='mmagic', **kwargs)).eval()


@pytest.mark.parametrize('size', [(37, 50), (16, 70), (12, 9)])
def test_pieces_equal_the_whole_where_the_overlap_covers_the_receptive_field(size):
    # EDSR with one block looks 5 pixels far before its upsampling: first, two of the block, one behind the blocks, one
    # of the first upsampling; the others look at parts of pixels
    net, lr = network(), torch.rand(2, 3, *size)
    with torch.no_grad():
        whole, pieces = net(lr), restore_in_tiles(net, lr, 4, tile=16, overlap=8)
    assert pieces.shape == whole.shape == (2, 3, size[0] * 4, size[1] * 4)
    assert (pieces - whole).abs().max() < 1e-4


def test_without_overlap_only_the_seams_differ():
    net, lr = network(), torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        difference = (net(lr) - restore_in_tiles(net, lr, 4, tile=16, overlap=0)).abs().amax(1)[0]
    reach = 8 * 4
    assert difference.max() > 1e-4
    difference[64 - reach:64 + reach] = 0
    difference[:, 64 - reach:64 + reach] = 0
    assert difference.max() < 1e-4


def test_no_piece_is_larger_than_asked():
    sizes = []

    def restore(lr):
        sizes.append(max(lr.shape[-2:]))
        return lr.repeat_interleave(4, -1).repeat_interleave(4, -2)

    lr = torch.rand(1, 3, 100, 130)
    assert torch.equal(restore_in_tiles(restore, lr, 4, tile=24, overlap=4), restore(lr))
    assert max(sizes[:-1]) == 24 + 2 * 4


def test_windows_are_cut_at_their_own_multiples():
    """A network that mixes the pixels of each window of 8."""

    def restore(lr):
        n, c, h, w = lr.shape
        assert h % 8 == 0 and w % 8 == 0
        mean = lr.reshape(n, c, h // 8, 8, w // 8, 8).mean((3, 5))
        return mean.repeat_interleave(16, -1).repeat_interleave(16, -2)

    lr = torch.rand(1, 3, 40, 48)
    assert torch.allclose(restore_in_tiles(restore, lr, 2, tile=13, overlap=3, window=8), restore(lr), atol=1e-6)
    # smaller than a window: filled up, and cut back
    assert restore_in_tiles(restore, lr[..., :3, :5], 2, window=8).shape == (1, 3, 6, 10)
