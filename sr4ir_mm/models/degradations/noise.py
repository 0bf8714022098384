"""Additive noise."""

import math
from typing import Optional, Sequence, Union

import torch
from mmengine.dist import get_rank, get_world_size
from torch import Generator, Tensor

from sr4ir_mm.errors import ConfigError
from sr4ir_mm.registry import MODELS

from .base import Degradation


@MODELS.register_module()
class GaussianNoise(Degradation):
    """Independent Gaussian noise on every value of an image; nothing is clipped or rounded.

    In training the noise is drawn on the device of the image and follows its random state. Each of several processes
    draws for the global batch, sample by sample over the processes, and takes its part: that is the noise of one process
    for that batch, and no two images get the same. In evaluation it is drawn on the CPU from the generator of the image,
    so it is the same everywhere, see :func:`~sr4ir_mm.models.degradations.image_generator`.

    Args:
        sigma: Standard deviation on the scale 0–255. A number; a list of numbers, of which each image gets one; or
            ``dict(min=0, max=55)``, between which each image gets one, all equally likely.
        seed: A different number gives every image in evaluation different noise.

    Shape:
        (N, C, H, W) -> the same. RGB in [0, 1] comes out with values beyond.
    """

    def __init__(self, sigma: Union[float, Sequence[float], dict], seed: int = 0) -> None:
        super().__init__()
        self.seed = seed
        if isinstance(sigma, dict):
            values = [sigma.get('min'), sigma.get('max')] if set(sigma) == {'min', 'max'} else []
        else:
            values = list(sigma) if isinstance(sigma, (list, tuple)) else [sigma]
        numbers = bool(values) and all(
            isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < math.inf
            for value in values
        )
        if not numbers or (isinstance(sigma, dict) and values[0] > values[1]):
            raise ConfigError(
                f'GaussianNoise.sigma is {sigma!r}; allowed: a number from 0, on the scale of 255, a '
                'list of them, or dict(min=…, max=…).'
            )
        self.sigma = sigma
        self._values = values

    def forward(self, image: Tensor, generator: Optional[Generator] = None) -> Tensor:
        if generator is None and not self.training:
            raise ConfigError(
                'GaussianNoise in evaluation gives each image its own noise, but a sample has no '
                '`img_path`; add it to meta_keys of the packing transform.'
            )
        device, part, count = image.device, slice(None), len(image)
        if generator is not None:
            device = generator.device
        elif get_world_size() > 1:
            part, count = slice(get_rank(), None, get_world_size()), count * get_world_size()
        sigma = self._draw_sigma(count, device, generator)[part].view(-1, 1, 1, 1)
        noise = torch.randn((count, *image.shape[1:]), device=device, generator=generator)[part]
        return image + (noise * (sigma / 255)).to(image)

    def _draw_sigma(self, count: int, device: torch.device, generator: Optional[Generator]) -> Tensor:
        values = torch.tensor(self._values, dtype=torch.float32, device=device)
        if len(values) == 1:
            return values.expand(count)
        if isinstance(self.sigma, dict):
            return values[0] + (values[1] - values[0]) * torch.rand(count, device=device, generator=generator)
        return values[torch.randint(len(values), (count,), device=device, generator=generator)]

    def extra_repr(self) -> str:
        return f'sigma={self.sigma}'
