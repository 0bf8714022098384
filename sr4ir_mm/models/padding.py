"""Padding at the right and bottom border, where it does not move a pixel, a box or a label."""

import torch.nn.functional as F
from torch import Tensor


def pad_to_size(image: Tensor, height: int, width: int, mode: str) -> Tensor:
    """Grow an image to a size.

    Args:
        image: Shape (N, C, h, w).
        height: At least h.
        width: At least w.
        mode: ``replicate`` or ``reflect``. An image too small to be reflected that far is replicated.

    Returns:
        Shape (N, C, height, width).
    """
    bottom, right = height - image.shape[-2], width - image.shape[-1]
    if bottom == right == 0:
        return image
    if mode == 'reflect' and (bottom >= image.shape[-2] or right >= image.shape[-1]):
        mode = 'replicate'
    return F.pad(image, (0, right, 0, bottom), mode=mode)


def pad_to_multiple(image: Tensor, multiple: int, mode: str) -> Tensor:
    """Grow an image to the next height and width that ``multiple`` divides."""
    height, width = (-(-size // multiple) * multiple for size in image.shape[-2:])
    return pad_to_size(image, height, width, mode)
