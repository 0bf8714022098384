import math
from typing import Dict, List, Optional, Sequence, Tuple

import torch
from mmengine.evaluator import BaseMetric
from torch import Tensor

from sr4ir_mm.models.degradations import quantize
from sr4ir_mm.registry import METRICS
from sr4ir_mm.utils import ConfigError, check_choice


#: weights of R, G and B in the luma Y of ITU-R BT.601, as MATLAB's rgb2ycbcr has it, for images in [0, 1]
LUMA = (65.481, 128.553, 24.966)


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
    height, width = hr.shape[-2:]
    if min(height, width) <= 2 * border:
        raise ConfigError(f'PSNR.border is {border}, which leaves nothing of an image of {height}×{width} pixels; '
                          f'allowed: less than {min(height, width) / 2:g}.')
    inside = (..., slice(border, height - border), slice(border, width - border))
    difference = ((quantize(sr[inside]) if rounded else sr[inside].clamp(0, 1)) - hr[inside]).double()
    if convert_to == 'Y':
        difference = torch.tensordot(difference.new_tensor(LUMA), difference, dims=1)
    else:
        difference = difference * 255
    error = torch.mean(difference**2).item()
    return 10 * math.log10(255**2 / error) if error else math.inf


@METRICS.register_module()
class PSNR(BaseMetric):
    """PSNR of ``sr`` against ``hr``, mean over the images; equal images are left out, as in SR4IR.

    Samples that name their ``benchmark`` are averaged for each of these, as ``<benchmark>/PSNR``.

    Args:
        border: Pixels left out on each side.
        convert_to: ``Y`` for the luma alone, None for RGB.
        rounded: Whether ``sr`` is rounded to 8 bits first.
        collect_device: As of :class:`mmengine.evaluator.BaseMetric`.
        prefix: As of :class:`mmengine.evaluator.BaseMetric`.
    """

    def __init__(self,
                 border: int = 8,
                 convert_to: Optional[str] = None,
                 rounded: bool = True,
                 collect_device: str = 'cpu',
                 prefix: str = None) -> None:
        super().__init__(collect_device, prefix)
        self.border = border
        self.convert_to = check_choice(convert_to, (None, 'Y'), 'PSNR.convert_to')
        self.rounded = rounded

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        for sample in data_samples:
            if 'hr' not in sample:
                raise ConfigError("PSNR needs the clean image, but the data set brings low-resolution images only; "
                                  'remove it from the evaluator.')
            value = psnr(sample['sr'], sample['hr'], self.border, self.convert_to, self.rounded)
            self.results.append((sample.get('benchmark'), value))

    def compute_metrics(self, results: List[Tuple[Optional[str], float]]) -> Dict[str, float]:
        values = {}
        for benchmark, value in results:
            values.setdefault(f'{benchmark}/PSNR' if benchmark else 'PSNR', []).append(value)
        return {name: _mean([value for value in of if math.isfinite(value)]) for name, of in values.items()}


def _mean(values: List[float]) -> float:
    return sum(values) / len(values) if values else math.inf
