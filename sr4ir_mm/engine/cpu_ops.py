"""Operations of PyTorch and mmcv that are slow on a CPU, by others that are fast there; results differ by rounding."""

from typing import Dict, Optional, TypeGuard

import torch
import torch.nn.functional as F
from mmcv.ops import RoIAlign
from torch import Tensor, nn


def use_fast_cpu_ops(*networks: nn.Module) -> None:
    """Let depthwise convolutions and mmcv's RoIAlign do what is fast on a CPU.

    oneDNN's depthwise convolutions are fast forward only: their backward takes ten times as long, and a hundred times
    channels last. mmcv's RoIAlign is a loop of one thread; torchvision's, to which it has a switch, is not.

    Args:
        *networks: They are changed. Those that share layers go on to share them.
    """
    fast: Dict[nn.Module, DepthwiseConv2d] = {}
    for parent in [module for network in networks for module in network.modules()]:
        for name, child in parent.named_children():
            if _is_depthwise(child):
                setattr(parent, name, fast.setdefault(child, DepthwiseConv2d(child)))
            elif isinstance(child, RoIAlign) and child.pool_mode == 'avg':
                child.use_torchvision = True


def _is_depthwise(conv: nn.Module) -> TypeGuard[nn.Conv2d]:
    """Return whether each channel has a kernel of its own, and no more padding than the kernel reaches."""
    return (
        type(conv) is nn.Conv2d
        and conv.groups == conv.in_channels == conv.out_channels > 1
        and conv.padding_mode == 'zeros'
        and not isinstance(conv.padding, str)
        and all(pad <= step * (length - 1) for pad, step, length in zip(conv.padding, conv.dilation, conv.kernel_size))
    )


class DepthwiseConv2d(nn.Conv2d):
    """A depthwise convolution whose backward is two convolutions; it takes over the parameters of another.

    Args:
        conv: A depthwise convolution.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        nn.Module.__init__(self)
        self.__dict__.update(conv.__dict__)

    def _conv_forward(self, x: Tensor, weight: Tensor, bias: Optional[Tensor]) -> Tensor:
        if x.device.type != 'cpu' or not torch.is_grad_enabled():
            return super()._conv_forward(x, weight, bias)
        if torch.is_autocast_cpu_enabled():
            dtype = torch.get_autocast_cpu_dtype()
            x, weight, bias = x.to(dtype), weight.to(dtype), None if bias is None else bias.to(dtype)
        return _Convolve.apply(x, weight, bias, self.stride, self.padding, self.dilation)


class _Convolve(torch.autograd.Function):
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
                sides = [side + 2 * pad - far for side, pad, far in zip(size, padding, reach)]
                if grad.is_contiguous(memory_format=torch.channels_last):
                    apart = grad.new_zeros(batch, *sides, channels).permute(0, 3, 1, 2)
                else:
                    apart = grad.new_zeros(batch, channels, *sides)
                apart[..., :: stride[0], :: stride[1]] = grad
            around = [far - pad for far, pad in zip(reach, padding)]
            grad_x = F.conv2d(apart, weight.flip(2, 3), None, 1, around, dilation, channels)
        if ctx.needs_input_grad[1]:
            # Σ_o g[o] · x[o·stride + k·dilation − padding]: each channel of each image convolved with its gradients
            images = x.reshape(1, batch * channels, *size).contiguous()
            kernels = grad.reshape(batch * channels, 1, *grad.shape[-2:]).contiguous()
            sums = F.conv2d(images, kernels, None, dilation, padding, stride, batch * channels)
            grad_weight = sums[..., : kernel[0], : kernel[1]].reshape(batch, channels, 1, *kernel).sum(0)
        grad_bias = grad.sum((0, 2, 3)) if ctx.needs_input_grad[2] else None
        return grad_x, grad_weight, grad_bias, None, None, None
