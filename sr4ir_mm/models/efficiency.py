"""What makes a network fit, and fast: activation checkpointing, mixed precision, memory format, attention masks."""

import copy
from functools import partial, wraps
from types import FunctionType
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

import torch
import torch.nn.functional as F
from mmengine.model.efficient_conv_bn_eval import turn_on_efficient_conv_bn_eval_for_single_model
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from sr4ir_mm.errors import ConfigError
from sr4ir_mm.utils.random_state import seeded


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

    Of recognizers those with a ResNet or MobileNet, which were measured; some others do not even work so, as VGG, which
    views its features flat.
    """
    if not hasattr(network, 'backbone'):
        return True
    kind = getattr(network.backbone, 'arch', None) or type(network.backbone).__name__
    return str(kind).lower().startswith(('resnet', 'mobilenet'))


def try_channels_last(recognizer: nn.Module, samples: List) -> Optional[str]:
    """Try a training step and a prediction of a copy whose feature maps lie in memory channels last.

    Heads that view a feature map flat fail at this, and so do weights of five dimensions.

    Args:
        recognizer: A model of a host library; it is not changed.
        samples: Annotated samples for images of 64×64 pixels.

    Returns:
        What went wrong, in the words of the error; None if nothing did.
    """
    with seeded(0):
        images = torch.rand(len(samples), 3, 64, 64)
        try:
            copied = copy.deepcopy(recognizer).train().to(memory_format=torch.channels_last)
            copied.parse_losses(copied.loss(images, copy.deepcopy(samples)))[0].backward()
            with torch.no_grad():
                copied.eval().predict(images, copy.deepcopy(samples))
        except Exception as error:  # whatever it is, without channels last it cannot come from there
            return f'{type(error).__name__}: {str(error).splitlines()[0] if str(error) else "no message"}'
    return None


def fold_batch_norm(network: nn.Module) -> None:
    """Let batch norms in eval mode, frozen ones too, be a part of the convolutions before them, by MMEngine.

    Raises:
        ConfigError: PyTorch cannot trace the network.
    """
    try:
        turn_on_efficient_conv_bn_eval_for_single_model(network)
    except Exception as error:
        raise ConfigError(
            f'model.efficient_conv_bn_eval is True, but {type(network).__name__} cannot be traced '
            f'({type(error).__name__}: {error}); set it to False.'
        ) from error


def quicken_window_attention(network: nn.Module) -> None:
    """Let mmagic's SwinIR make the mask of shifted windows once for each size of image, on its device; and attend, where
    there are no gradients, by PyTorch's own attention.

    Its blocks make a mask in each call, on the CPU, for images that are not of the size the network was built for; those
    whose windows are not shifted need none. The masks here leave zeros where mmagic's -100 leaves denormal numbers, which
    CPUs multiply many times slower.
    """
    masks: Dict[tuple, Tensor] = {}
    for block in network.modules():
        if type(block).__module__.startswith('mmagic.') and hasattr(block, 'calculate_mask'):
            block.input_resolution = None  # which means: there is no size whose mask the block has already
            block.calculate_mask = partial(_shared_mask, block, masks)
            block.attn.forward = partial(_attend, block.attn)


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
        mask = type(block).calculate_mask(block, size).to(device)
        masks[key] = mask.masked_fill(mask != 0, float('-inf'))
    return masks[key]


def _attend(attention: nn.Module, x: Tensor, mask: Optional[Tensor] = None) -> Tensor:
    """What mmagic's WindowAttention does with windows, shape (B·windows, N, C), and their mask, (windows, N, N)."""
    if mask is not None and not len(mask):
        mask = None
    # PyTorch's attention is no faster with gradients, as the bias of positions learns, nor in bfloat16 on a CPU
    if torch.is_grad_enabled() or torch.jit.is_tracing() or torch.is_autocast_cpu_enabled():
        return type(attention).forward(attention, x, mask)
    windows, pixels, channels = x.shape
    query, key, value = attention.qkv(x).view(windows, pixels, 3, attention.num_heads, -1).permute(2, 0, 3, 1, 4)
    bias = attention.relative_position_bias_table[attention.relative_position_index].permute(2, 0, 1)
    if mask is not None:
        bias = (bias + mask[:, None]).repeat(windows // len(mask), 1, 1, 1)
    attended = F.scaled_dot_product_attention(
        query,
        key,
        value,
        attn_mask=bias.to(query),
        scale=attention.scale,
        dropout_p=attention.attn_drop.p if attention.training else 0.0,
    )
    return attention.proj_drop(attention.proj(attended.transpose(1, 2).reshape(windows, pixels, channels)))


def quicken_heads(network: nn.Module) -> None:
    """Let mmseg's heads not calculate the accuracy of each training batch, ``acc_seg``, which is nan then.

    A cascade logs losses only; and on a GPU the host would wait for the accuracy in each head and loss. mmseg has no switch.
    """
    for head in network.modules():
        loss = getattr(type(head), 'loss_by_feat', None)
        if loss is not None and loss.__module__.startswith('mmseg.') and 'accuracy' in loss.__globals__:
            # the method as it is, in which one name means something else
            spared = FunctionType(
                loss.__code__,
                {**loss.__globals__, 'accuracy': _no_accuracy},
                loss.__name__,
                loss.__defaults__,
                loss.__closure__,
            )
            head.loss_by_feat = partial(spared, head)


def _no_accuracy(scores: Tensor, *args, **kwargs) -> Tensor:
    return scores.new_full((1,), float('nan'))


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
