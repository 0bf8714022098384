"""Restores large images piece by piece."""

from typing import Callable, Iterator, Optional, Tuple

from torch import Tensor

from .padding import pad_to_size


def restore_in_tiles(
    restore: Callable[[Tensor], Tensor],
    lr: Tensor,
    scale: int,
    tile: Optional[int] = None,
    overlap: int = 32,
    window: int = 1,
) -> Tensor:
    """Restore an image piece by piece, so that memory depends on the piece and not on the image.

    Each piece is read with ``overlap`` more pixels on each side, which are restored with it and thrown away. Where the
    restorer looks no farther than that, the result is that of the whole image; at the border of the image it always is.

    Args:
        restore: From (N, 3, h, w) to (N, 3, s·h, s·w).
        lr: Low-resolution images, shape (N, 3, H, W).
        scale: The s.
        tile: Side of a piece in pixels of ``lr``; None: the whole image at once.
        overlap: Pixels of ``lr`` that a piece is read with on each side.
        window: Pieces are cut at multiples of this, so that a restorer with attention in windows has the same ones. An
            image smaller than it is filled up by repeating its border.

    Returns:
        Shape (N, 3, s·H, s·W).
    """
    height, width = lr.shape[-2:]
    padded = pad_to_size(lr, max(height, window), max(width, window), 'replicate')
    if tile is None or max(padded.shape[-2:]) <= tile:
        return restore(padded)[..., : height * scale, : width * scale]
    tile = _up(tile, window)
    overlap = _up(overlap, window)
    sr = lr.new_empty(0)
    for top, bottom, first_row, last_row in _pieces(padded.shape[-2], tile, overlap, window):
        for left, right, first_column, last_column in _pieces(padded.shape[-1], tile, overlap, window):
            piece = restore(padded[..., first_row:last_row, first_column:last_column])
            if not sr.numel():  # the piece tells type and device
                sr = piece.new_empty((*lr.shape[:-2], padded.shape[-2] * scale, padded.shape[-1] * scale))
            inside = piece[
                ...,
                (top - first_row) * scale : (bottom - first_row) * scale,
                (left - first_column) * scale : (right - first_column) * scale,
            ]
            sr[..., top * scale : bottom * scale, left * scale : right * scale] = inside
    return sr[..., : height * scale, : width * scale].contiguous()


def _up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple


def _pieces(length: int, tile: int, overlap: int, window: int) -> Iterator[Tuple[int, int, int, int]]:
    """Along one side: where each piece begins and ends, and where what is read for it does: a window at least."""
    for begin in range(0, length, tile):
        end = min(begin + tile, length)
        before = overlap if end - begin + overlap >= window else window
        yield begin, end, max(begin - before, 0), min(end + overlap, length)
