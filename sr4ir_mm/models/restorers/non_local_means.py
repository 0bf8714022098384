"""Non-local means, a denoiser without weights."""

import numpy as np
import torch
from torch import Tensor

from sr4ir_mm.registry import MODELS

from .base import Restorer


@MODELS.register_module()
class NonLocalMeans(Restorer):
    """Non-local means (Buades et al., CVPR 2005) in scikit-image's fast variant, on the CPU: a denoiser without
    parameters.

    Args:
        sigma: Standard deviation of the noise, on the scale 0–255.
        strength: How unlike a patch may be and still count, in units of ``sigma``.
        patch_size: Side of the patches that are compared, in pixels.
        patch_distance: How far away patches are looked for, in pixels.

    Shape:
        (N, 3, H, W) -> (N, 3, H, W), RGB in [0, 1], beyond by the noise. No gradient passes.
    """

    def __init__(self, sigma: float, strength: float = 0.8, patch_size: int = 5, patch_distance: int = 6) -> None:
        super().__init__()
        self.sigma = sigma
        self.strength = strength
        self.patch_size = patch_size
        self.patch_distance = patch_distance

    def forward(self, image: Tensor) -> Tensor:
        from skimage.restoration import denoise_nl_means

        sigma = self.sigma / 255
        restored = [
            denoise_nl_means(
                one,
                patch_size=self.patch_size,
                patch_distance=self.patch_distance,
                h=self.strength * sigma,
                fast_mode=True,
                sigma=sigma,
                channel_axis=-1,
            )
            for one in image.detach().permute(0, 2, 3, 1).float().cpu().numpy()
        ]
        return torch.from_numpy(np.stack(restored)).permute(0, 3, 1, 2).to(image)
