"""The contract of a degradation, which makes the degraded image ``lr`` from the clean image ``hr`` on the device."""

import hashlib
from typing import List, Optional, Sequence

import torch
from torch import Generator, Tensor, nn

from sr4ir_mm.models.padding import pad_to_multiple, pad_to_size


def quantize(image: Tensor) -> Tensor:
    """Round an image to 8 bits.

    Args:
        image: RGB in [0, 1], shape (N, 3, H, W); values outside are clamped.

    Returns:
        Same shape, on the grid {0, 1/255, ..., 1}.
    """
    return (image.clamp(0, 1) * 255).round() / 255


class Degradation(nn.Module):
    """Degrade images. A new degradation is a subclass, registered in ``MODELS`` and named in ``model.degradation``.

    Attributes:
        scale: Factor by which height and width shrink.
        seed: A different number gives every image in evaluation different random numbers.
    """

    scale: int = 1
    seed: int = 0

    def forward(self, image: Tensor, generator: Optional[Generator] = None) -> Tensor:
        """Degrade a batch.

        Args:
            image: Clean images, RGB in [0, 1], shape (N, 3, s·h, s·w).
            generator: In evaluation, the random generator of the one image in the batch. None: in training, where
                random numbers follow the state of the device.

        Returns:
            Shape (N, 3, h, w).
        """
        raise NotImplementedError


def degrade(
    degradation: nn.Module, hr: Tensor, sizes: Sequence, names: Sequence[Optional[str]], pad_mode: str
) -> Tensor:
    """Make ``lr`` from ``hr``, padded to a multiple of the scale.

    Args:
        degradation: A :class:`Degradation`.
        hr: Clean images, shape (N, 3, H, W).
        sizes: Height and width of each image without its padding.
        names: The path of each image, in evaluation: each is then degraded alone, at its own size and with its own
            random generator, so that the result does not depend on the batch. Empty in training.
        pad_mode: ``replicate`` or ``reflect``.

    Returns:
        Shape (N, 3, ⌈H/s⌉, ⌈W/s⌉).
    """
    scale = degradation.scale
    if not names:
        return degradation(pad_to_multiple(hr, scale, pad_mode))
    lr: List[Tensor] = []
    for image, (height, width), name in zip(hr, sizes, names):
        generator = None if name is None else image_generator(name, getattr(degradation, 'seed', 0))
        lr.append(degradation(pad_to_multiple(image[None, :, :height, :width], scale, pad_mode), generator))
    height, width = (-(-side // scale) for side in hr.shape[-2:])
    return torch.cat([pad_to_size(image, height, width, pad_mode) for image in lr])


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
