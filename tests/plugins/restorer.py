"""A restorer with a further input, a reference image that the data set packs, and random numbers of its own."""

import torch
import torch.nn.functional as F
from mmcv.transforms import BaseTransform
from torch import nn

from sr4ir_mm.models import Restorer
from sr4ir_mm.registry import MODELS, TRANSFORMS


@TRANSFORMS.register_module()
class PackReference(BaseTransform):
    """Pack a color for the whole image as ``reference``, after the packing transform of the host library."""

    def transform(self, results):
        results['reference'] = results['inputs'].float().mean((1, 2)) / 255
        return results


@MODELS.register_module()
class Referenced(Restorer):
    """Enlarge an image, with a learned share of its reference and a little noise."""

    inputs = ('reference',)
    stochastic = True

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.scale = scale
        self.conv = nn.Conv2d(6, 3, 3, padding=1)

    def forward(self, lr, reference, generator=None):
        noise = 0.01 * torch.randn(lr.shape, generator=generator).to(lr)
        both = torch.cat([lr + noise, reference[..., None, None].expand_as(lr)], 1)
        return F.interpolate(lr + self.conv(both), scale_factor=self.scale, mode='nearest')
