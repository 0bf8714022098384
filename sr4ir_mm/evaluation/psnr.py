"""The peak signal-to-noise ratio."""

import math
from typing import List, Optional

import torch
from torch import Tensor

from sr4ir_mm.registry import METRICS

from .metric import LUMA, RestorationMetric, as_compared, crop_border


def psnr(sr: Tensor, hr: Tensor, border: int, convert_to: Optional[str] = None, rounded: bool = True) -> float:
    """Peak signal-to-noise ratio, on the scale of 8 bits.

    Args:
        sr: RGB in [0, 1], shape (3, H, W); clamped and, unless ``rounded`` is false, rounded to 8 bits here.
        hr: The clean image, RGB in [0, 1], same shape.
        border: Pixels left out on each side.
        convert_to: ``Y`` for the luma alone, as papers on super-resolution have it; None for RGB.
        rounded: Whether ``sr`` is compared as it would be stored in a file, with 8 bits.

    Returns:
        Decibels; infinite for equal images.
    """
    difference = crop_border(as_compared(sr, rounded) - hr, border, 'PSNR').double()
    if convert_to == 'Y':
        difference = torch.tensordot(difference.new_tensor(LUMA), difference, dims=1)
    else:
        difference = difference * 255
    error = torch.mean(difference**2).item()
    return 10 * math.log10(255**2 / error) if error else math.inf


@METRICS.register_module()
class PSNR(RestorationMetric):
    """PSNR of ``sr`` against ``hr``, mean over the images; equal images are left out, as in SR4IR.

    Args:
        border: Pixels left out on each side.
        **kwargs: See :class:`RestorationMetric`.
    """

    def __init__(self, border: int = 8, *args, **kwargs) -> None:
        super().__init__(border, *args, **kwargs)

    def score(self, sr: Tensor, hr: Tensor) -> float:
        return psnr(sr, hr, self.border, self.convert_to, self.rounded)

    def mean(self, values: List[float]) -> float:
        finite = [value for value in values if math.isfinite(value)]
        return super().mean(finite) if finite else math.inf
