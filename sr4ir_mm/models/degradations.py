"""What makes the degraded input `lr` from the clean image `hr`, on the device."""

import hashlib
import math
from typing import Any, List, Optional, Sequence, Union

import torch
import torch.nn.functional as F
from mmengine.dist import get_rank, get_world_size
from torch import Generator, Tensor, nn

from sr4ir_mm.errors import ConfigError
from sr4ir_mm.registry import MODELS


def quantize(image: Tensor) -> Tensor:
    """Round an image to 8 bits.

    Args:
        image: RGB in [0, 1], shape (N, 3, H, W); values outside are clamped.

    Returns:
        Same shape, on the grid {0, 1/255, ..., 1}.
    """
    return (image.clamp(0, 1) * 255).round() / 255


def image_generator(name: str, seed: int = 0) -> Generator:
    """A random generator that belongs to an image: the same in each process, on each machine and in each order.

    Args:
        name: The path of the image; its last two parts count, so that a data set can be moved.
        seed: Another number gives every image another generator.

    Returns:
        A generator on the CPU: those of GPUs draw other numbers.
    """
    name = '/'.join(name.replace('\\', '/').split('/')[-2:])
    digest = hashlib.sha256(f'{seed}:{name}'.encode()).digest()
    return Generator().manual_seed(int.from_bytes(digest[:8], 'little') >> 1)


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

    def forward(self, image: Tensor, generator: Optional[Generator] = None) -> Tensor:
        size = (image.shape[-2] // self.scale, image.shape[-1] // self.scale)
        image = F.interpolate(image, size=size, mode='bicubic', align_corners=False, antialias=self.antialias)
        return quantize(image) if self.quantize else image


@MODELS.register_module()
class GaussianNoise(nn.Module):
    """Independent Gaussian noise on every value of an image; nothing is clipped or rounded.

    In training the noise is drawn on the device of the image and follows its random state. Each of several processes
    draws for the global batch, sample by sample over the processes, and takes its part: that is the noise of one
    process for that batch, and no two images get the same. In evaluation it is drawn on the CPU from the generator of
    the image, so it is the same everywhere, see :func:`image_generator`.

    Args:
        sigma: Standard deviation on the scale 0–255. A number; a list of numbers, of which each image gets one; or
            ``dict(min=0, max=55)``, between which each image gets one, all equally likely.

    Shape:
        (N, C, H, W) -> the same. RGB in [0, 1] comes out with values beyond.
    """

    scale = 1

    def __init__(self, sigma: Union[float, Sequence[float], dict]) -> None:
        super().__init__()
        if isinstance(sigma, dict):
            values: List[Any] = [sigma.get('min'), sigma.get('max')] if set(sigma) == {'min', 'max'} else []
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

    def forward(self, image: Tensor, generator: Optional[Generator] = None) -> Tensor:
        for degradation in self:
            image = degradation(image, generator)
        return image
