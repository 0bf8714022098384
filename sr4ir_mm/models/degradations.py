"""What makes the degraded input `lr` from the clean image `hr`, on the device."""
import math

import torch.nn.functional as F
from torch import Tensor, nn

from sr4ir_mm.registry import MODELS


def quantize(image: Tensor) -> Tensor:
    """Round an image to 8 bits.

    Args:
        image: RGB in [0, 1], shape (N, 3, H, W); values outside are clamped.

    Returns:
        Same shape, on the grid {0, 1/255, ..., 1}.
    """
    return (image.clamp(0, 1) * 255).round() / 255


@MODELS.register_module()
class BicubicDownsample(nn.Module):
    """Bicubic downsampling, by default as SR4IR defines its low-resolution images.

    Args:
        scale: Factor by which height and width shrink.
        antialias: Widen the kernel with the scale, as MATLAB and Pillow do. SR4IR does not.
        quantize: Round the result to 8 bits, as if it had been stored as an image file.

    Shape:
        (N, 3, s·h, s·w) -> (N, 3, h, w), RGB in [0, 1]. Sizes that are no multiple of ``scale`` are the caller's to
        pad, see :func:`sr4ir_mm.models.cascade.pad_to_multiple`.
    """

    def __init__(self, scale: int, antialias: bool = False, quantize: bool = True) -> None:
        super().__init__()
        self.scale = scale
        self.antialias = antialias
        self.quantize = quantize

    def forward(self, image: Tensor) -> Tensor:
        size = (image.shape[-2] // self.scale, image.shape[-1] // self.scale)
        image = F.interpolate(image, size=size, mode='bicubic', align_corners=False, antialias=self.antialias)
        return quantize(image) if self.quantize else image


@MODELS.register_module()
class Compose(nn.Sequential):
    """Degradations one after the other.

    Args:
        degradations: Their configs, first applied first.
    """

    def __init__(self, degradations: list) -> None:
        super().__init__(*(MODELS.build(degradation) for degradation in degradations))

    @property
    def scale(self) -> int:
        return math.prod(degradation.scale for degradation in self)
