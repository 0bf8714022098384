"""The denoiser of *Denoising meets high-level vision*, which calculates in the units of its published recipe."""

import logging
from collections import OrderedDict
from typing import Sequence

import torch
import torch.nn.functional as F
from mmengine.logging import print_log
from torch import Tensor, nn

from sr4ir_mm.errors import ConfigError, check_choice
from sr4ir_mm.registry import MODELS

from .base import Restorer

_CROP = 3  # what the two convolutions without padding take off each side


class _Residual(nn.Module):
    """A bottleneck of a quarter of the channels, added to its input."""

    def __init__(self, channels: int, momentum: float) -> None:
        super().__init__()
        inner = channels // 4
        self.conv1 = nn.Conv2d(channels, inner, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inner, momentum=momentum)
        self.conv2 = nn.Conv2d(inner, inner, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(inner, momentum=momentum)
        self.conv3 = nn.Conv2d(inner, channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(channels, momentum=momentum)

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn1(self.conv1(x)))
        out = F.relu(self.bn2(self.conv2(out)))
        return F.relu(self.bn3(self.conv3(out)) + x)


@MODELS.register_module()
class MultiScaleDenoiser(Restorer):
    """The denoiser of *When Image Denoising Meets High-Level Vision Tasks* (IJCAI 2018, arXiv 1706.04284).

    Features at full, half and quarter resolution are joined on the way back up; the network adds its output to the
    noisy image. Weights start uniform within ±sqrt(3 / fan-in), biases of convolutions at 0.2, those of transposed
    convolutions at 0. Outside, images are in [0, 1]; inside, they are on the scale ``img_range`` and without ``mean``:
    the published learning rates, initial biases and clipping of gradients belong to 0–255.

    Args:
        padding: ``valid`` as published: 6 pixels are lost, H and W have to be multiples of 4. ``same``: for an image
            of any size, which is reflected beyond its border before, by 4 pixels at the top and on the left, and by at
            least 3 to a multiple of 4 at the bottom and on the right, and then cropped. Four pixels keep the grid of
            the strides, so away from the border both give the same. A cascade needs ``same``.
        width: Channels at full resolution, a multiple of 2; published: 64, which makes 1,033,443 parameters.
        momentum: Of the batch norms, as PyTorch counts it. The published value needs many thousand iterations until
            the statistics for evaluation are those of the images.
        img_range: The white of the scale inside; published: 255.
        mean: The color that is subtracted inside, RGB on the scale 0 to ``img_range``. The published one is
            (104, 117, 123) in Caffe's order, BGR. Both are in checkpoints, whose units replace these. Older ones do not
            have them: their weights were trained in [0, 1] and go on with that.

    Shape:
        (N, 3, H, W) -> (N, 3, H, W), or (N, 3, H - 6, W - 6) with ``valid``. RGB in [0, 1], beyond by the noise.
    """

    #: names in checkpoints that older ones lack, and that are made while they are loaded
    fills_in = ('units',)

    def __init__(
        self,
        padding: str = 'same',
        width: int = 64,
        momentum: float = 1e-3,
        img_range: float = 255.0,
        mean: Sequence[float] = (123.0, 117.0, 104.0),
    ) -> None:
        super().__init__()
        self.padding = check_choice(padding, ('valid', 'same'), 'MultiScaleDenoiser.padding')
        if img_range <= 0 or len(mean) != 3:
            raise ConfigError(
                f'MultiScaleDenoiser.img_range is {img_range!r} and mean is {list(mean)!r}; allowed: a '
                'number above 0 and three numbers, for R, G and B.'
            )
        self.register_buffer('units', torch.tensor([img_range, *mean], dtype=torch.float32))
        self._register_load_state_dict_pre_hook(self._fill_units)
        half = 2 * width

        def conv(inputs: int, outputs: int, stride: int) -> nn.Sequential:
            return nn.Sequential(
                OrderedDict(
                    conv=nn.Conv2d(inputs, outputs, 3, stride, padding=1),
                    bn=nn.BatchNorm2d(outputs, momentum=momentum),
                    relu=nn.ReLU(),
                )
            )

        self.conv0 = nn.Conv2d(3, width, 5)
        self.conv1 = conv(width, half, stride=2)
        self.res1 = _Residual(half, momentum)
        self.conv2 = conv(half, half, stride=2)
        self.res2 = _Residual(half, momentum)
        self.up2 = nn.ConvTranspose2d(half, width // 2, 4, 2, padding=1)
        self.conv3 = conv(half + width // 2, 4 * width, stride=1)
        self.res3 = _Residual(4 * width, momentum)
        self.up3 = nn.ConvTranspose2d(4 * width, width, 4, 2, padding=1)
        self.out = nn.Conv2d(2 * width, 3, 3)
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
                nn.init.kaiming_uniform_(module.weight, nonlinearity='linear')
                if module.bias is not None:
                    nn.init.constant_(module.bias, 0.2 if isinstance(module, nn.Conv2d) else 0.0)

    def forward(self, image: Tensor) -> Tensor:
        if self.padding == 'valid':
            return self._forward(image)
        height, width = image.shape[-2:]
        bottom, right = (3 + (1 - side) % 4 for side in (height, width))
        # what is too small to be reflected is replicated
        mode = 'reflect' if min(height, width) > 6 else 'replicate'
        return self._forward(F.pad(image, (4, right, 4, bottom), mode))[..., 1 : height + 1, 1 : width + 1]

    def _forward(self, image: Tensor) -> Tensor:
        img_range, mean = self.units[0], self.units[1:, None, None]
        full = self.conv0(image * img_range - mean)
        half = self.res1(self.conv1(full))
        quarter = self.res2(self.conv2(half))
        half = self.res3(self.conv3(torch.cat([half, self.up2(quarter)], 1)))
        out = self.out(torch.cat([full, self.up3(half)], 1))
        return out / img_range + image[..., _CROP:-_CROP, _CROP:-_CROP]

    def _fill_units(self, state_dict: dict, prefix: str, *_) -> None:
        """Give weights of before the published units those that they were trained in."""
        if f'{prefix}conv0.weight' in state_dict and f'{prefix}units' not in state_dict:
            print_log(
                'The weights of MultiScaleDenoiser have no units: they were trained on [0, 1], so the network '
                'now uses this range. The published learning rates belong to 0–255.',
                'current',
                logging.WARNING,
            )
            state_dict[f'{prefix}units'] = torch.tensor([1.0, 0.0, 0.0, 0.0])
