from pathlib import Path

import pytest
import torch

from sr4ir_mm.engine.hooks.record import peak_memory
from sr4ir_mm.models.tiling import restore_in_tiles
from sr4ir_mm.registry import MODELS
from tests.helpers.builders import edsr
from tests.helpers.processes import run_processes


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
    difference[64 - reach : 64 + reach] = 0
    difference[:, 64 - reach : 64 + reach] = 0
    assert difference.max() < 1e-4


def swinir():
    """One group of two layers, the second with shifted windows; what it adds to the image is made large."""
    torch.manual_seed(0)
    net = MODELS.build(
        dict(
            _scope_='mmagic',
            type='SwinIRNet',
            upscale=4,
            in_chans=3,
            img_size=8,
            window_size=8,
            depths=[2],
            embed_dim=8,
            num_heads=[2],
            mlp_ratio=2,
            upsampler='pixelshuffle',
            resi_connection='1conv',
        )
    ).eval()
    for weight in net.parameters():
        if weight.ndim > 1:
            weight.data *= 5
    return net


@pytest.mark.parametrize('size', [(53, 64), (24, 87)])  # sizes that the network fills up to whole windows, and not
def test_pieces_equal_the_whole_with_attention_in_windows(size):
    # seven pixels far for each of the two layers, one for each of the convolutions: less than three windows
    net, lr = swinir(), torch.rand(1, 3, *size)
    with torch.no_grad():
        whole = net(lr)
        pieces, seams = (restore_in_tiles(net, lr, 4, tile=16, overlap=overlap, window=8) for overlap in (24, 0))
    largest = whole.abs().max()
    assert (seams - whole).abs().max() / largest > 1e-2
    assert (pieces - whole).abs().max() / largest < 1e-4


def trained(net):
    """After steps that move every weight."""
    optimizer = torch.optim.Adam(net.parameters(), 1e-3)
    for _ in range(10):
        hr = torch.rand(2, 3, 32, 32)
        loss = (net(torch.nn.functional.avg_pool2d(hr, 4)) - hr).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return net.eval()


@pytest.mark.parametrize('make, window', [(network, 1), (swinir, 8)])
def test_pieces_equal_the_whole_after_training(make, window):
    net, lr = trained(make()), torch.rand(1, 3, 40, 59)
    with torch.no_grad():
        whole, pieces = net(lr), restore_in_tiles(net, lr, 4, tile=16, overlap=24, window=window)
    assert (pieces - whole).abs().max() < 1e-4


def _added_memory(tile):
    """MiB that restoring a large image adds to those of a small one."""
    net = network()
    with torch.no_grad():
        restore_in_tiles(net, torch.rand(1, 3, 32, 32), 4, tile)
        before = peak_memory()[0]
        restore_in_tiles(net, torch.rand(1, 3, 512, 512), 4, tile, overlap=8)
    return peak_memory()[0] - before


@pytest.mark.skipif(not Path('/proc/self/status').exists(), reason='the peak of a new process is known on Linux only')
def test_memory_depends_on_the_piece():
    (whole,), (pieces,) = (run_processes(1, _added_memory, tile) for tile in (None, 64))
    result = 3 * (512 * 4) ** 2 * 4 / 2**20  # what is returned has to be there
    assert pieces < 1.5 * result < whole / 3


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
