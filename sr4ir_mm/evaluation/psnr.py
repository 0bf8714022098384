import math
from typing import Dict, List, Sequence

import torch
from mmengine.evaluator import BaseMetric
from torch import Tensor

from sr4ir_mm.models.degradations import quantize
from sr4ir_mm.registry import METRICS
from sr4ir_mm.utils import ConfigError


def psnr(sr: Tensor, hr: Tensor, border: int) -> float:
    """Peak signal-to-noise ratio in RGB, on the scale of 8 bits.

    Args:
        sr: RGB in [0, 1], shape (3, H, W); clamped and rounded to 8 bits here.
        hr: The clean image, RGB in [0, 1], same shape.
        border: Pixels left out on each side.

    Returns:
        Decibels; infinite for equal images.
    """
    height, width = hr.shape[-2:]
    if min(height, width) <= 2 * border:
        raise ConfigError(f'PSNR.border is {border}, which leaves nothing of an image of {height}×{width} pixels; '
                          f'allowed: less than {min(height, width) / 2:g}.')
    inside = (..., slice(border, height - border), slice(border, width - border))
    error = torch.mean(((quantize(sr[inside]) - hr[inside]) * 255).double()**2).item()
    return 10 * math.log10(255**2 / error) if error else math.inf


@METRICS.register_module()
class PSNR(BaseMetric):
    """PSNR of ``sr`` against ``hr``, mean over the images; equal images are left out, as in SR4IR.

    Args:
        border: Pixels left out on each side.
        collect_device: As of :class:`mmengine.evaluator.BaseMetric`.
        prefix: As of :class:`mmengine.evaluator.BaseMetric`.
    """

    def __init__(self, border: int = 8, collect_device: str = 'cpu', prefix: str = None) -> None:
        super().__init__(collect_device, prefix)
        self.border = border

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        for sample in data_samples:
            if 'hr' not in sample:
                raise ConfigError("PSNR needs the clean image, but the data set brings low-resolution images only; "
                                  'remove it from the evaluator.')
            self.results.append(psnr(sample['sr'], sample['hr'], self.border))

    def compute_metrics(self, results: List[float]) -> Dict[str, float]:
        finite = [value for value in results if math.isfinite(value)]
        return dict(PSNR=sum(finite) / len(finite) if finite else math.inf)
