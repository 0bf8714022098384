"""SwinIR of mmagic with masks that are made once for each size of image, and with PyTorch's own attention in inference."""

from typing import Dict, Optional, Tuple

import torch
import torch.nn.functional as F
from mmagic.models.editors.swinir.swinir_net import SwinIRNet
from mmagic.models.editors.swinir.swinir_rstb import SwinTransformerBlock, WindowAttention
from torch import Tensor, nn


class SwinIR(SwinIRNet):
    """Restore images by SwinIR (Liang et al., ICCVW 2021, arXiv 2108.10257).

    It has mmagic's arguments, parameters and numbers, but for rounding. mmagic's blocks make the mask of shifted windows
    in each call, on the CPU, for images that are not of the size the network was built for, and their masks of -100 leave
    denormal numbers after the softmax, which CPUs multiply many times slower.

    Args:
        **kwargs: See :class:`mmagic.models.editors.swinir.SwinIRNet`.

    Shape:
        (N, 3, h, w) -> (N, 3, s·h, s·w), RGB in [0, 1], not clamped.
    """

    def __init__(self, **kwargs) -> None:
        super().__init__(**kwargs)
        masks = _Masks()
        for layer in self.layers:
            blocks = layer.residual_group.blocks
            for index, block in enumerate(blocks):
                blocks[index] = _Block(block, masks)


class _Masks:
    """The masks of shifted windows by size of image, the same for all blocks of a network."""

    def __init__(self) -> None:
        self._masks: Dict[tuple, Tensor] = {}

    def __deepcopy__(self, memo: dict) -> '_Masks':
        return type(self)()

    def get(self, block: SwinTransformerBlock, size: Tuple[int, int], device: torch.device) -> Tensor:
        """Return the mask, shape (windows, N, N): 0 within a region of the image and -inf between two of them."""
        key = *size, block.window_size, block.shift_size, device
        if key not in self._masks:
            if len(self._masks) >= 8:  # images of many sizes
                self._masks.clear()
            mask = SwinTransformerBlock.calculate_mask(block, size).to(device)
            self._masks[key] = mask.masked_fill(mask != 0, float('-inf'))
        return self._masks[key]


class _Block(SwinTransformerBlock):
    """A block of mmagic's whose layers and settings it takes over."""

    def __init__(self, block: SwinTransformerBlock, masks: _Masks) -> None:
        nn.Module.__init__(self)
        self.__dict__.update(block.__dict__)
        self.attn = _Attention(block.attn)
        self.input_resolution = None  # which means: there is no size whose mask the block has already
        self._shared_masks = masks

    def calculate_mask(self, x_size: Tuple[int, int]) -> Tensor:
        device = self.attn.qkv.weight.device
        if self.shift_size == 0:
            return torch.empty(0, device=device)
        if torch.jit.is_tracing():  # there the size is no number
            return super().calculate_mask(x_size)
        return self._shared_masks.get(self, x_size, device)


class _Attention(WindowAttention):
    """An attention of mmagic's whose layers it takes over."""

    def __init__(self, attention: WindowAttention) -> None:
        nn.Module.__init__(self)
        self.__dict__.update(attention.__dict__)

    def forward(self, x: Tensor, mask: Optional[Tensor] = None) -> Tensor:
        """Attend within windows, shape (B·windows, N, C), under a mask, (windows, N, N), or none."""
        if mask is not None and not len(mask):
            mask = None
        # PyTorch's attention is no faster with gradients, as the bias of positions learns, nor in bfloat16 on a CPU
        if torch.is_grad_enabled() or torch.jit.is_tracing() or torch.is_autocast_cpu_enabled():
            return super().forward(x, mask)
        windows, pixels, channels = x.shape
        query, key, value = self.qkv(x).view(windows, pixels, 3, self.num_heads, -1).permute(2, 0, 3, 1, 4)
        bias = self.relative_position_bias_table[self.relative_position_index].permute(2, 0, 1)
        if mask is not None:
            bias = (bias + mask[:, None]).repeat(windows // len(mask), 1, 1, 1)
        attended = F.scaled_dot_product_attention(
            query,
            key,
            value,
            attn_mask=bias.to(query),
            scale=self.scale,
            dropout_p=self.attn_drop.p if self.training else 0.0,
        )
        return self.proj_drop(self.proj(attended.transpose(1, 2).reshape(windows, pixels, channels)))
