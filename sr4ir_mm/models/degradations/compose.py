"""Several degradations as one."""

import math
from typing import Optional

from torch import Generator, Tensor, nn

from sr4ir_mm.registry import MODELS

from .base import Degradation


@MODELS.register_module()
class Compose(Degradation):
    """Apply degradations one after the other.

    Args:
        degradations: Their configs, first applied first.
        seed: A different number gives every image in evaluation different random numbers.
    """

    def __init__(self, degradations: list, seed: int = 0) -> None:
        super().__init__()
        self.degradations = nn.ModuleList(MODELS.build(degradation) for degradation in degradations)
        self.scale = math.prod(degradation.scale for degradation in self.degradations)
        self.seed = seed

    def forward(self, image: Tensor, generator: Optional[Generator] = None) -> Tensor:
        for degradation in self.degradations:
            image = degradation(image, generator)
        return image
