"""The base of the metrics of restored images."""

from typing import Any, Dict, List, Optional, Sequence, Tuple

import torch
from mmengine.evaluator import BaseMetric
from torch import Tensor

from sr4ir_mm.errors import ConfigError, check_choice
from sr4ir_mm.models.degradations import quantize

#: weights of R, G and B in the luma Y of ITU-R BT.601, as MATLAB's rgb2ycbcr has it, for images in [0, 1]
LUMA = (65.481, 128.553, 24.966)


def crop_border(image: Tensor, border: int, name: str) -> Tensor:
    """An image (C, H, W) without so many pixels on each side; ``name`` is the metric, for the message."""
    height, width = image.shape[-2:]
    if min(height, width) <= 2 * border:
        raise ConfigError(
            f'{name}.border is {border}, which leaves nothing of an image of {height}×{width} pixels; '
            f'allowed: less than {min(height, width) / 2:g}.'
        )
    return image[:, border : height - border, border : width - border]


def as_compared(sr: Tensor, rounded: bool) -> Tensor:
    """``sr`` clamped to [0, 1] and, if ``rounded``, with the 8 bits that a file would store."""
    return quantize(sr) if rounded else sr.clamp(0, 1)


class RestorationMetric(BaseMetric):
    """Mean over the images of a number for each ``sr``; its subclasses name the number.

    Images are gathered from all processes as MMEngine does it: each counts once. Samples that name their ``benchmark``
    are averaged for each of these, as ``<benchmark>/<name>``.

    Args:
        border: Pixels left out on each side.
        convert_to: ``Y`` for the luma alone, None for RGB.
        rounded: Whether ``sr`` is rounded to 8 bits first, as if it had been stored in a file.
        collect_device: See :class:`mmengine.evaluator.BaseMetric`.
        prefix: See :class:`mmengine.evaluator.BaseMetric`.
    """

    needs_hr = True

    def __init__(
        self,
        border: int = 0,
        convert_to: Optional[str] = None,
        rounded: bool = True,
        collect_device: str = 'cpu',
        prefix: Optional[str] = None,
    ) -> None:
        super().__init__(collect_device, prefix)
        self.name = type(self).__name__
        if not isinstance(border, int) or border < 0:
            raise ConfigError(f'{self.name}.border is {border!r}; allowed: a whole number from 0.')
        self.border = border
        self.convert_to = check_choice(convert_to, (None, 'Y'), f'{self.name}.convert_to')
        self.rounded = rounded

    def score(self, sr: Tensor, hr: Any) -> float:
        """The number of one image; both are (3, H, W), RGB, ``hr`` in [0, 1], ``sr`` as the restorer made it."""
        sr = self._prepare(as_compared(sr, self.rounded))
        return self.measure(sr, self._prepare(hr) if self.needs_hr else None)

    def measure(self, sr: Tensor, hr: Any) -> float:
        """The number of one image; both are (C, H, W), in [0, 1], C being 3 for RGB and 1 for the luma."""
        raise NotImplementedError

    def mean(self, values: List[float]) -> float:
        """The number of several images."""
        return sum(values) / len(values)

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        for sample in data_samples:
            if self.needs_hr and 'hr' not in sample:
                raise ConfigError(
                    f'{self.name} needs the clean image, but the data set provides only low-resolution '
                    'images; remove it from the evaluator.'
                )
            self.results.append((sample.get('benchmark'), self.score(sample['sr'], sample.get('hr'))))

    def _prepare(self, image: Tensor) -> Tensor:
        image = crop_border(image, self.border, self.name)
        if self.convert_to == 'Y':
            image = (torch.tensordot(image.new_tensor(LUMA), image, dims=1)[None] + 16) / 255
        return image

    def _check_size(self, image: Tensor, height: int, width: int) -> None:
        if image.shape[-2] < height or image.shape[-1] < width:
            raise ConfigError(
                f'{self.name} needs images of at least {height}×{width} pixels inside its border; one '
                f'has {image.shape[-2]}×{image.shape[-1]}. Remove it from the evaluator.'
            )

    def compute_metrics(self, results: List[Tuple[Optional[str], float]]) -> Dict[str, float]:
        values: Dict[str, List[float]] = {}
        for benchmark, value in results:
            values.setdefault(f'{benchmark}/{self.name}' if benchmark else self.name, []).append(value)
        return {name: self.mean(found) for name, found in values.items()}
