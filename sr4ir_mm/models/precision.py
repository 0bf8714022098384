"""Keeps what needs float32 in float32 when an OpenMMLab model runs in mixed precision."""

from typing import Any, Tuple

import torch
from torch import Tensor, nn


def keep_float32(network: nn.Module) -> None:
    """Run an OpenMMLab model under autocast without losing what needs float32.

    Losses get their inputs in float32: on a GPU autocast sees to that, on a CPU it would leave a softmax in bfloat16.
    On a CPU, what leaves the neck and the heads of a detector is float32 too: mmcv's NMS and RoIAlign know nothing else.
    So are the scores of a segmentor, which are enlarged: that is slower in bfloat16.
    """
    for module in network.modules():
        kind = type(module).__module__
        if '.losses.' in kind:
            module.register_forward_pre_hook(_float32_inputs, with_kwargs=True)
        elif kind.startswith('mmdet.models.') and ('.necks.' in kind or '_heads.' in kind):
            module.register_forward_hook(_float32_output)
        elif isinstance(getattr(module, 'conv_seg', None), nn.Module):  # a head of mmseg, or derived from one
            module.conv_seg.register_forward_hook(_float32_output)


def to_float32(value: Any) -> Any:
    """Convert half precision to float32, in lists and tuples too; leave all else, float64 among it, as it is."""
    if isinstance(value, Tensor):
        return value.float() if value.dtype in (torch.float16, torch.bfloat16) else value
    if isinstance(value, (list, tuple)):
        return type(value)(map(to_float32, value))
    return value


def _float32_inputs(module: nn.Module, args: tuple, kwargs: dict) -> Tuple[tuple, dict]:
    return to_float32(args), {name: to_float32(value) for name, value in kwargs.items()}


def _float32_output(module: nn.Module, args: tuple, output: Any) -> Any:
    return to_float32(output) if torch.is_autocast_cpu_enabled() else output
