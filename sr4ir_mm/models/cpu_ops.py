"""Operations of PyTorch and mmcv that are slow on a CPU, by others that are fast there; results differ by rounding."""

from functools import partial
from typing import Optional, Tuple

import torch
import torch.nn.functional as F
from mmcv.ops import RoIAlign
from torch import Tensor, nn


def quicken_on_cpu(network: nn.Module) -> None:
    """Let depthwise convolutions and mmcv's RoIAlign do on a CPU what is fast there; on a GPU they stay as they are.

    Of depthwise convolutions oneDNN is quick forward only: its backward takes ten times as long, and a hundred times channels
    last. mmcv's RoIAlign is a loop of one thread.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and _is_depthwise(module):
            module._conv_forward = partial(_convolve_depthwise, module.stride, module.padding, module.dilation)
        elif isinstance(module, RoIAlign) and module.pool_mode == 'avg' and module.sampling_ratio > 0:
            module.forward = partial(_align, module)


def _is_depthwise(conv: nn.Conv2d) -> bool:
    """Whether each channel has a kernel of its own, and no more of padding than the kernel reaches."""
    return (
        conv.groups == conv.in_channels == conv.out_channels > 1
        and conv.padding_mode == 'zeros'
        and not isinstance(conv.padding, str)
        and all(pad <= step * (length - 1) for pad, step, length in zip(conv.padding, conv.dilation, conv.kernel_size))
    )


def _convolve_depthwise(
    stride: tuple, padding: tuple, dilation: tuple, x: Tensor, weight: Tensor, bias: Optional[Tensor]
) -> Tensor:
    if x.device.type != 'cpu' or not torch.is_grad_enabled():
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


def _align(layer: RoIAlign, features: Tensor, rois: Tensor) -> Tensor:
    """RoIAlign as sums over an embedding bag: each cell of a region is a weighted sum of pixels.

    Args:
        layer: What says the number of cells and of samples in each.
        features: Shape (N, C, H, W).
        rois: Shape (R, 5): the index of the image, x and y of two corners.

    Returns:
        Shape (R, C, rows, columns).
    """
    if features.device.type != 'cpu':
        return type(layer).forward(layer, features, rois)
    (_, channels, height, width), (rows, columns) = features.shape, layer.output_size
    rois = rois.to(features)
    x, x_weight = _samples(layer, rois[:, 1], rois[:, 3], width, columns)
    y, y_weight = _samples(layer, rois[:, 2], rois[:, 4], height, rows)
    first = rois[:, 0].long() * height * width
    pixels = first.view(-1, 1, 1, 1, 1) + y[:, :, None, :, None] * width + x[:, None, :, None, :]
    weights = y_weight[:, :, None, :, None] * x_weight[:, None, :, None, :]
    sums = F.embedding_bag(
        pixels.flatten(0, 2).flatten(1),
        features.permute(0, 2, 3, 1).reshape(-1, channels),
        per_sample_weights=weights.flatten(0, 2).flatten(1),
        mode='sum',
    )
    return sums.view(len(rois), rows, columns, channels).permute(0, 3, 1, 2)


def _samples(layer: RoIAlign, low: Tensor, high: Tensor, size: int, cells: int) -> Tuple[Tensor, Tensor]:
    """The two pixels next to each sample along one axis, and what they count in the mean of a cell.

    Returns:
        Indices and weights, shape (R, cells, 2·samples).
    """
    low, high = (side * layer.spatial_scale - 0.5 * layer.aligned for side in (low, high))
    length = high - low if layer.aligned else (high - low).clamp(min=1)
    count = cells * layer.sampling_ratio
    steps = (torch.arange(count, device=low.device) + 0.5) / count
    position = low[:, None] + steps * length[:, None]
    inside = (position >= -1) & (position <= size)
    position = position.clamp(0, size - 1)
    before = position.floor()
    after = position - before
    pixels = torch.stack([before, (before + 1).clamp(max=size - 1)], -1).long()
    weights = torch.stack([1 - after, after], -1) * inside[..., None] / layer.sampling_ratio
    return tuple(each.view(len(low), cells, 2 * layer.sampling_ratio) for each in (pixels, weights))
