"""A degradation: the mean of each cell of pixels, and a random gain that each image has in evaluation too."""

import torch
import torch.nn.functional as F

from sr4ir_mm.models import Degradation
from sr4ir_mm.registry import MODELS


@MODELS.register_module()
class CellMean(Degradation):
    """Average cells of s × s pixels.

    Args:
        scale: The s.
        gain: The largest change of the brightness.
    """

    def __init__(self, scale: int, gain: float = 0.0) -> None:
        super().__init__()
        self.scale = scale
        self.gain = gain

    def forward(self, image, generator=None):
        gain = 1 + self.gain * (2 * torch.rand(len(image), 1, 1, 1, generator=generator) - 1)
        return F.avg_pool2d(image, self.scale) * gain.to(image)
