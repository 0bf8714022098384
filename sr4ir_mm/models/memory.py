"""What a network does to fit: activation checkpointing and mixed precision."""
from functools import wraps
from typing import Any, Callable, Iterator, Tuple

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


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


def losses_in_float32(network: nn.Module) -> None:
    """Give the losses of an OpenMMLab model their inputs in float32, whatever precision its heads run in.

    On a GPU autocast does this itself; on a CPU it would leave a softmax in bfloat16.
    """
    for module in network.modules():
        if '.losses.' in type(module).__module__:
            module.register_forward_pre_hook(_to_float32, with_kwargs=True)


def _to_float32(module: nn.Module, args: tuple, kwargs: dict) -> Tuple[tuple, dict]:

    def convert(value: Any) -> Any:
        half = isinstance(value, Tensor) and value.dtype in (torch.float16, torch.bfloat16)
        return value.float() if half else value

    return tuple(map(convert, args)), {name: convert(value) for name, value in kwargs.items()}
