"""Try something with a network and leave no trace of it."""

from collections import deque
from contextlib import contextmanager
from copy import copy
from typing import Any, Iterator, List

import torch
from torch import Tensor, nn


@contextmanager
def preserved(model: nn.Module) -> Iterator[None]:
    """Put back whatever changes in a model: parameters, buffers, gradients, modes and attributes of its modules.

    Gradients begin as None. Compiled networks run as plain ones, because images of another size would compile them
    again.

    Args:
        model: Its attributes are restored, and the content of those that are lists, dicts, sets or tensors; objects
            below that, as the parts of a head that are no modules, are not looked into.
    """
    attributes = [(module, dict(vars(module))) for module in model.modules()]
    values = [value for _, own in attributes for value in own.values()]
    values += [value for module, _ in attributes for value in module._buffers.values()]
    containers = [(value, copy(value)) for value in values if isinstance(value, (list, dict, set, deque))]
    tensors = [*model.parameters(), *(value for value in values if isinstance(value, Tensor))]
    copies = [(tensor, tensor.detach().clone()) for tensor in tensors]
    parameters = [(parameter, parameter.requires_grad, parameter.grad) for parameter in model.parameters()]
    try:
        for module, _ in attributes:
            module._compiled_call_impl = None
        for parameter, _, _ in parameters:
            parameter.grad = None
        yield
    finally:
        for module, own in attributes:
            vars(module).clear()
            vars(module).update(own)
        for container, before in containers:
            _restore(container, before)
        with torch.no_grad():
            for tensor, kept in copies:
                if not torch.equal(tensor, kept):
                    tensor.copy_(kept)
        for parameter, requires_grad, gradient in parameters:
            parameter.requires_grad_(requires_grad)
            parameter.grad = gradient


def _content(container) -> List[Any]:
    return [*container.keys(), *container.values()] if isinstance(container, dict) else list(container)


def _restore(container, before) -> None:
    """Fill a container again; one that has not changed, as almost all, is left alone."""
    now, then = _content(container), _content(before)
    if len(now) == len(then) and all(one is other for one, other in zip(now, then)):
        return
    container.clear()
    if isinstance(container, (list, deque)):
        container.extend(before)
    else:
        container.update(before)
