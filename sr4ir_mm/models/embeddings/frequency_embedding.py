"""PCL-SR's embedding network, which sees wavelet bands."""

from typing import List, Optional, Sequence

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from mmengine.model import BaseModule
from torch import Tensor, nn

from sr4ir_mm.errors import check_choice
from sr4ir_mm.models.padding import pad_to_multiple
from sr4ir_mm.registry import MODELS

from .layers import check_layers


class HaarTransform(nn.Module):
    """One level of the orthonormal Haar wavelet transform; its matrix is its own inverse.

    Shape:
        (N, C, 2h, 2w) -> (N, 4, C, h, w): the bands LL, LH (differences of rows), HL (of columns) and HH. Values in
        [0, 1] give LL in [0, 2] and the other bands in [-1, 1].
    """

    def __init__(self) -> None:
        super().__init__()
        # rows: bands; columns: the pixels of a 2×2 patch, row by row
        signs = [[1, 1, 1, 1], [1, 1, -1, -1], [1, -1, 1, -1], [1, -1, -1, 1]]
        self.register_buffer('matrix', torch.tensor(signs) / 2, persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        patches = F.pixel_unshuffle(image, 2).unflatten(1, (-1, 4))
        return torch.einsum('bp,ncphw->nbchw', self.matrix.to(image), patches)


@MODELS.register_module()
class FrequencyEmbedding(BaseModule):
    """The embedding network of PCL-SR (arXiv 2111.13924): a discriminator that sees high frequencies only.

    A Haar transform without its LL band, then eight blocks of convolution, batch norm and leaky ReLU, every second of
    which halves the size, then 4×4 pooled positions with one logit each. With the defaults: 4,691,265 parameters.

    Args:
        base_channels: Channels of the first two blocks; doubled after every second block.
        norm_cfg: Config of the norm layers.
        transform: ``haar``: the network sees the bands LH, HL and HH, 9 channels at half the size. ``rgb``: it sees the
            image itself, 3 channels, which the paper compares with; 4,687,809 parameters.
        init_cfg: See :class:`mmengine.model.BaseModule`.

    Shape:
        (N, 3, H, W), RGB in [0, 1] -> (N, 16), larger for clean images. Odd sizes are padded by replication.
    """

    def __init__(
        self,
        base_channels: int = 64,
        norm_cfg: Optional[dict] = dict(type='BN'),  # noqa: B006  read only; None means no norm layers
        transform: str = 'haar',
        init_cfg: Optional[dict] = None,
    ) -> None:
        super().__init__(init_cfg)
        self.transform = check_choice(transform, ('haar', 'rgb'), 'model.embedding.transform')
        self.haar = HaarTransform()
        self.blocks = nn.ModuleList()
        in_channels = 9 if transform == 'haar' else 3
        for index in range(8):
            out_channels = base_channels * 2 ** (index // 2)
            self.blocks.append(
                ConvModule(
                    in_channels,
                    out_channels,
                    kernel_size=3,
                    stride=1 + index % 2,
                    padding=1,
                    norm_cfg=norm_cfg,
                    act_cfg=dict(type='LeakyReLU', negative_slope=0.2),
                )
            )
            in_channels = out_channels
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Conv2d(in_channels, 1, 1), nn.Flatten())

    def extract_feat(self, image: Tensor, layers: Sequence[int]) -> List[Tensor]:
        """Return the outputs of some blocks, after the activation.

        Args:
            image: RGB in [0, 1], shape (N, 3, H, W).
            layers: Which blocks, counted from 0 or, with negative numbers, from the end; those behind the last one
                wanted do not run.

        Returns:
            One map for each of them, in the order of ``layers``: with the defaults, block 4 gives (N, 256, H/8, W/8).
        """
        wanted = check_layers(layers, len(self.blocks))
        if self.transform == 'haar':
            image = self.haar(pad_to_multiple(image, 2, 'replicate'))[:, 1:].flatten(1, 2)
        outputs = [image]
        for block in self.blocks[: max(wanted) + 1]:
            outputs.append(block(outputs[-1]))
        return [outputs[layer + 1] for layer in wanted]

    def forward(self, image: Tensor) -> Tensor:
        return self.head(self.extract_feat(image, [-1])[0])
