"""Interpolation, the restorer of the baseline L→T."""

import torch.nn.functional as F
from torch import Tensor

from sr4ir_mm.registry import MODELS

from .base import Restorer


@MODELS.register_module()
class Interpolation(Restorer):
    """Upsampling without parameters: the restorer of the L→T baseline.

    Args:
        scale: Factor by which height and width grow.
        mode: ``bilinear`` or ``bicubic``.
        align_corners: As in :func:`torch.nn.functional.interpolate`; SR4IR's baseline aligns the corners.

    Shape:
        (N, 3, h, w) -> (N, 3, s·h, s·w), RGB in [0, 1].
    """

    def __init__(self, scale: int, mode: str = 'bilinear', align_corners: bool = True) -> None:
        super().__init__()
        self.scale = scale
        self.mode = mode
        self.align_corners = align_corners

    def forward(self, image: Tensor) -> Tensor:
        return F.interpolate(image, scale_factor=self.scale, mode=self.mode, align_corners=self.align_corners)
