"""Bicubic downsampling, as SR4IR and others define their low-resolution images."""

from typing import Optional

import torch.nn.functional as F
from torch import Generator, Tensor

from sr4ir_mm.registry import MODELS

from .base import Degradation, quantize


@MODELS.register_module()
class BicubicDownsample(Degradation):
    """Bicubic downsampling, by default as SR4IR defines its low-resolution images.

    Args:
        scale: Factor by which height and width shrink.
        antialias: Widen the kernel with the scale, as MATLAB and Pillow do. SR4IR does not.
        quantize: Round the result to 8 bits, as if it had been stored as an image file.

    Shape:
        (N, 3, s·h, s·w) -> (N, 3, h, w), RGB in [0, 1]. Sizes that are no multiple of ``scale`` are the caller's to
        pad, see :func:`sr4ir_mm.models.padding.pad_to_multiple`.
    """

    def __init__(self, scale: int, antialias: bool = False, quantize: bool = True) -> None:
        super().__init__()
        self.scale = scale
        self.antialias = antialias
        self.quantize = quantize

    def forward(self, image: Tensor, generator: Optional[Generator] = None) -> Tensor:
        size = (image.shape[-2] // self.scale, image.shape[-1] // self.scale)
        image = F.interpolate(image, size=size, mode='bicubic', align_corners=False, antialias=self.antialias)
        return quantize(image) if self.quantize else image
