"""The positives and negatives that PCL-SR (arXiv 2111.13924) contrasts a restored image with."""

from typing import Sequence, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.transforms.functional import adjust_sharpness

from sr4ir_mm.errors import ConfigError
from sr4ir_mm.registry import MODELS


def sharpen(image: Tensor, factor: Tensor) -> Tensor:
    """Sharpen each image by a factor of its own, as torchvision's ``adjust_sharpness`` does it for one.

    Args:
        image: RGB in [0, 1], shape (N, 3, H, W).
        factor: Shape (N,); 1 leaves an image as it is, 2 doubles its distance to a smoothed version.

    Returns:
        Same shape, clamped to [0, 1].
    """
    return torch.lerp(adjust_sharpness(image, 0.0), image, factor.to(image).view(-1, 1, 1, 1)).clamp(0, 1)


def gaussian_blur(image: Tensor, kernel_size: Tensor, sigma: Tensor, max_size: int) -> Tensor:
    """Blur each image by a Gaussian of its own, as torchvision's ``gaussian_blur`` does it for one; borders reflect.

    Args:
        image: Shape (N, C, H, W).
        kernel_size: Odd numbers, shape (N,).
        sigma: Standard deviations in pixels along height and width, shape (N, 2).
        max_size: The largest ``kernel_size``, so that it need not be asked from the device.

    Returns:
        Same shape.
    """
    (number, channels), radius = image.shape[:2], max_size // 2
    offsets = torch.arange(-radius, radius + 1, device=image.device)
    inside = offsets.abs() <= kernel_size[:, None, None] // 2
    kernel = torch.exp(-0.5 * (offsets / sigma[..., None]) ** 2) * inside
    kernel = (kernel / kernel.sum(-1, keepdim=True)).to(image).repeat_interleave(channels, 0)
    # each channel of each image is a group of one convolution
    result = F.pad(image, (radius,) * 4, mode='reflect').flatten(0, 1)[None]
    result = F.conv2d(result, kernel[:, None, 0, :, None], groups=number * channels)
    result = F.conv2d(result, kernel[:, None, 1, None, :], groups=number * channels)
    return result[0].unflatten(0, (number, channels))


def _full_precision(image: Tensor):
    """Mixed precision is for networks: it would leave 8 bits of an image."""
    return torch.autocast(image.device.type, enabled=False)


@MODELS.register_module()
class HardSamples:
    """Makes positives by sharpening and negatives by blurring; random numbers follow PyTorch's seed on the device.

    Args:
        num_sharpened: Sharpened positives of each image, besides the image itself.
        sharpness: Range of their factors; below 1 an image would be blurred. (Published: 0.5 to 3.)
        num_blurred: Blurred negatives of each image, besides the upsampled ``lr``.
        kernel_sizes: Sizes of their Gaussian kernels, odd.
        sigma: Range of the standard deviation, in pixels, drawn for height and width.
    """

    def __init__(
        self,
        num_sharpened: int = 3,
        sharpness: Tuple[float, float] = (1.0, 3.0),
        num_blurred: int = 3,
        kernel_sizes: Sequence[int] = (3, 5, 7, 9, 11),
        sigma: Tuple[float, float] = (0.1, 2.0),
    ) -> None:
        key = 'model.contrastive.samples'
        for name, value in (('num_sharpened', num_sharpened), ('num_blurred', num_blurred)):
            if not isinstance(value, int) or value < 0:
                raise ConfigError(f'{key}.{name} is {value!r}; allowed: a whole number from 0.')
        for name, (low, high), least in (('sharpness', sharpness, 1.0), ('sigma', sigma, 1e-3)):
            if not least <= low <= high:
                raise ConfigError(f'{key}.{name} is {(low, high)}; allowed: (low, high) with {least:g} <= low <= high.')
        if not kernel_sizes or any(size < 1 or size % 2 == 0 for size in kernel_sizes):
            raise ConfigError(f'{key}.kernel_sizes is {tuple(kernel_sizes)}; allowed: odd numbers.')
        self.num_sharpened = num_sharpened
        self.sharpness = sharpness
        self.num_blurred = num_blurred
        self.kernel_sizes = tuple(kernel_sizes)
        self.sigma = sigma

    @torch.no_grad()
    def sharpened(self, hr: Tensor) -> Tensor:
        """(N, 3, H, W) -> (K, N, 3, H, W), RGB in [0, 1]."""
        images = hr.repeat(self.num_sharpened, 1, 1, 1)
        low, high = self.sharpness
        factor = low + (high - low) * torch.rand(len(images), device=hr.device)
        with _full_precision(hr):
            images = sharpen(images, factor)
        return images.unflatten(0, (self.num_sharpened, len(hr)))

    @torch.no_grad()
    def blurred(self, hr: Tensor) -> Tensor:
        """(N, 3, H, W) -> (K, N, 3, H, W), RGB in [0, 1]."""
        if self.num_blurred == 0:
            return hr.new_zeros((0, *hr.shape))
        images = hr.repeat(self.num_blurred, 1, 1, 1)
        sizes = torch.tensor(self.kernel_sizes, device=hr.device)
        sizes = sizes[torch.randint(len(sizes), (len(images),), device=hr.device)]
        low, high = self.sigma
        sigma = low + (high - low) * torch.rand(len(images), 2, device=hr.device)
        with _full_precision(hr):
            images = gaussian_blur(images, sizes, sigma, max(self.kernel_sizes))
        return images.unflatten(0, (self.num_blurred, len(hr)))

    @torch.no_grad()
    def positives(self, hr: Tensor) -> Tensor:
        """The clean images and their sharpened versions: (N, 3, H, W) -> (1 + K, N, 3, H, W)."""
        return torch.cat([hr[None], self.sharpened(hr)])

    @torch.no_grad()
    def negatives(self, hr: Tensor, lr: Tensor, scale: int) -> Tensor:
        """The bicubically upsampled ``lr``, (N, 3, h, w), and the blurred clean images: (1 + K, N, 3, H, W)."""
        upsampled = F.interpolate(lr, scale_factor=scale, mode='bicubic', align_corners=False)
        return torch.cat([upsampled[None, ..., : hr.shape[-2], : hr.shape[-1]], self.blurred(hr)])
