"""What makes a network fit, and fast: activation checkpointing, mixed precision, memory format, attention masks."""
from functools import partial, wraps
from typing import Any, Callable, Dict, Iterator, Optional, Tuple

import torch
import torch.nn.functional as F
from mmengine.model.efficient_conv_bn_eval import turn_on_efficient_conv_bn_eval_for_single_model
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from sr4ir_mm.utils import ConfigError


def repeated_blocks(network: nn.Module) -> Iterator[nn.Module]:
    """The outermost blocks that a network is stacked from: the members, all of a kind, of its lists and sequences."""
    for child in network.children():
        stacked = isinstance(child, (nn.ModuleList, nn.Sequential)) and len(child) > 1
        if stacked and len({type(member) for member in child}) == 1:
            yield from child
        else:
            yield from repeated_blocks(child)


def checkpoint_activations(network: nn.Module) -> None:
    """Keep the inputs of a network's blocks only; a backward computes again what lies between them."""
    for block in repeated_blocks(network):
        block.forward = _checkpointed(block.forward)


def _checkpointed(forward: Callable) -> Callable:

    @wraps(forward)
    def wrapper(*args, **kwargs):
        if not torch.is_grad_enabled():
            return forward(*args, **kwargs)
        return checkpoint(forward, *args, use_reentrant=False, **kwargs)

    return wrapper


def gains_channels_last(network: nn.Module) -> bool:
    """Whether a network is faster on a CPU if its feature maps lie in memory channels last.

    Not one with depthwise convolutions: their backward takes several times as long. Of recognizers only those with a
    ResNet, which was measured; some others do not even work so, as VGG, which views its features flat.
    """
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    if any(conv.groups == conv.in_channels > 1 for conv in convolutions):
        return False
    return not hasattr(network, 'backbone') or type(network.backbone).__name__.startswith('ResNet')


def quicken_depthwise(network: nn.Module) -> None:
    """Let depthwise convolutions go backward on a CPU by convolutions too.

    oneDNN convolves depthwise quickly, but its backward takes ten times as long, and a hundred times channels last.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and _is_depthwise(module):
            module._conv_forward = partial(_convolve_depthwise, module.stride, module.padding, module.dilation)


def _is_depthwise(conv: nn.Conv2d) -> bool:
    """Whether each channel has a kernel of its own, and no more of padding than the kernel reaches."""
    return (conv.groups == conv.in_channels == conv.out_channels > 1 and conv.padding_mode == 'zeros'
            and not isinstance(conv.padding, str)
            and all(pad <= step * (length - 1)
                    for pad, step, length in zip(conv.padding, conv.dilation, conv.kernel_size)))


def _convolve_depthwise(stride: tuple, padding: tuple, dilation: tuple, x: Tensor, weight: Tensor,
                        bias: Optional[Tensor]) -> Tensor:
    if x.is_cuda or not torch.is_grad_enabled():
        return F.conv2d(x, weight, bias, stride, padding, dilation, len(weight))
    if torch.is_autocast_cpu_enabled():
        dtype = torch.get_autocast_cpu_dtype()
        x, weight, bias = x.to(dtype), weight.to(dtype), None if bias is None else bias.to(dtype)
    return _Depthwise.apply(x, weight, bias, stride, padding, dilation)


class _Depthwise(torch.autograd.Function):
    """A depthwise convolution: y[o] = Σ_k w[k] · x[o·stride + k·dilation − padding]."""

    @staticmethod
    def forward(ctx, x, weight, bias, stride, padding, dilation):
        ctx.save_for_backward(x, weight)
        ctx.settings = stride, padding, dilation
        return F.conv2d(x, weight, bias, stride, padding, dilation, len(weight))

    @staticmethod
    def backward(ctx, grad):
        x, weight = ctx.saved_tensors
        stride, padding, dilation = ctx.settings
        (batch, channels, *size), kernel = x.shape, weight.shape[-2:]
        grad_x = grad_weight = None
        if ctx.needs_input_grad[0]:
            # what x[i] gets is Σ_k w[k] · g[i + padding − k·dilation], where g has the gradients a stride apart
            reach = [step * (length - 1) for step, length in zip(dilation, kernel)]
            apart = grad
            if max(stride) > 1:
                sides = (side + 2 * pad - far for side, pad, far in zip(size, padding, reach))
                apart = grad.new_zeros(batch, channels, *sides)
                apart[..., ::stride[0], ::stride[1]] = grad
            around = [far - pad for far, pad in zip(reach, padding)]
            grad_x = F.conv2d(apart, weight.flip(2, 3), None, 1, around, dilation, channels)
        if ctx.needs_input_grad[1]:
            # Σ_o g[o] · x[o·stride + k·dilation − padding]: each channel of each image convolved with its gradients
            images = x.reshape(1, batch * channels, *size).contiguous()
            kernels = grad.reshape(batch * channels, 1, *grad.shape[-2:]).contiguous()
            sums = F.conv2d(images, kernels, None, dilation, padding, stride, batch * channels)
            grad_weight = sums[..., :kernel[0], :kernel[1]].reshape(batch, channels, 1, *kernel).sum(0)
        grad_bias = grad.sum((0, 2, 3)) if ctx.needs_input_grad[2] else None
        return grad_x, grad_weight, grad_bias, None, None, None


def fold_batch_norm(network: nn.Module) -> None:
    """Let batch norms in eval mode, frozen ones too, be a part of the convolutions before them, by MMEngine.

    Raises:
        ConfigError: PyTorch cannot trace the network.
    """
    try:
        turn_on_efficient_conv_bn_eval_for_single_model(network)
    except Exception as error:
        raise ConfigError(f'model.efficient_conv_bn_eval is True, but {type(network).__name__} cannot be traced '
                          f'({type(error).__name__}: {error}); set it to False.') from error


def share_attention_masks(network: nn.Module) -> None:
    """Let the blocks of mmagic's SwinIR make the mask of shifted windows once for each size of image, on its device.

    They make one in each call, on the CPU, for images that are not of the size the network was built for; those whose
    windows are not shifted need none.
    """
    masks: Dict[tuple, Tensor] = {}
    for block in network.modules():
        if type(block).__module__.startswith('mmagic.') and hasattr(block, 'calculate_mask'):
            block.calculate_mask = partial(_shared_mask, block, masks)
            block.attn.register_forward_pre_hook(_without_empty_mask, with_kwargs=True)


def _shared_mask(block: nn.Module, masks: Dict[tuple, Tensor], size: Tuple[int, int]) -> Tensor:
    device = block.attn.qkv.weight.device
    if block.shift_size == 0:
        return torch.empty(0, device=device)
    if torch.jit.is_tracing():  # there the size is no number
        return type(block).calculate_mask(block, size)
    key = *size, block.window_size, block.shift_size, device
    if key not in masks:
        if len(masks) >= 8:  # images of many sizes
            masks.clear()
        masks[key] = type(block).calculate_mask(block, size).to(device)
    return masks[key]


def _without_empty_mask(attention: nn.Module, args: tuple, kwargs: dict) -> Tuple[tuple, dict]:
    mask: Optional[Tensor] = kwargs.get('mask')
    return args, kwargs if mask is None or len(mask) else dict(kwargs, mask=None)


def keep_float32(network: nn.Module) -> None:
    """Run an OpenMMLab model under autocast without losing what needs float32.

    Losses get their inputs in float32: on a GPU autocast sees to that, on a CPU it would leave a softmax in bfloat16.
    On a CPU, what leaves the neck and the heads of a detector is float32 too: mmcv's NMS and RoIAlign know nothing else.
    """
    for module in network.modules():
        kind = type(module).__module__
        if '.losses.' in kind:
            module.register_forward_pre_hook(_float32_inputs, with_kwargs=True)
        elif kind.startswith('mmdet.models.') and ('.necks.' in kind or '_heads.' in kind):
            module.register_forward_hook(_float32_output)


def _to_float32(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.float() if value.dtype in (torch.float16, torch.bfloat16) else value
    if isinstance(value, (list, tuple)):
        return type(value)(map(_to_float32, value))
    return value


def _float32_inputs(module: nn.Module, args: tuple, kwargs: dict) -> Tuple[tuple, dict]:
    return _to_float32(args), {name: _to_float32(value) for name, value in kwargs.items()}


def _float32_output(module: nn.Module, args: tuple, output: Any) -> Any:
    return _to_float32(output) if torch.is_autocast_cpu_enabled() else output
