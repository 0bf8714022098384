"""Bound what the reading of a checkpoint may cost, whatever the file says: time, memory, and the form of the result."""

from collections import OrderedDict
from typing import Any, Dict, Iterator, Set, Tuple

import torch
from mmengine.config import Config

from sr4ir_mm.errors import CheckpointError

#: steps of the pickle machine, each at most a few hundred bytes; a tensor takes about 40
MAX_STEPS = 2_000_000
#: results of calls, each about a kilobyte; a tensor takes two
MAX_CALLS = 200_000
#: what a key other than text or a small number counts as, in steps: such keys can be made to collide in a dict
ODD_KEY = 1000
#: nested containers; code that walks through a checkpoint by recursion stays far from Python's limit
MAX_LEVELS = 100
#: values in all, where one that is referred to twice counts twice, as code that walks through them meets it
MAX_VALUES = 4_000_000
#: letters of a key, for example of a weight's name
MAX_KEY = 1000
_SLACK = 2**26


class Budget:
    """Count what a file makes its reader do, over all its pickles and calls.

    Args:
        file_size: Bytes of the file. What is copied, and what the tensors would take if each had its own memory, is
            bounded by a multiple of it.
    """

    def __init__(self, file_size: int) -> None:
        self._steps = MAX_STEPS
        self._calls = MAX_CALLS
        self._copied = 2 * file_size + _SLACK
        self._tensors = 8 * file_size + _SLACK

    def step(self, count: int = 1) -> None:
        self._steps -= count
        if self._steps < 0:
            raise CheckpointError(f'it takes more than {MAX_STEPS:,} steps to read')

    def call(self, *args: Any) -> None:
        """Count a call by what its arguments hold, since it may copy them."""
        self._calls -= 1
        if self._calls < 0:
            raise CheckpointError(f'it makes more than {MAX_CALLS:,} objects')
        for arg in args:
            if isinstance(arg, (str, bytes)):
                self.copy(len(arg))
            elif isinstance(arg, (list, tuple, dict, set, frozenset)):
                self.step(len(arg))

    def copy(self, size: int) -> None:
        self._copied -= size
        if self._copied < 0:
            raise CheckpointError('it makes more copies of its texts and numbers than twice its size')

    def tensor(self, size: int) -> None:
        """Count a tensor's bytes; tensors may share memory, but copies of them do not."""
        self._tensors -= size
        if self._tensors < 0:
            raise CheckpointError('its tensors share memory, and each alone they would take more than 8 times its size')


_TOO_DEEP = f'its containers are nested more than {MAX_LEVELS} deep'
_CONTAINERS = (dict, list, tuple, set, frozenset, Config)


def check_structure(content: Any) -> None:
    """Refuse containers that hold themselves, are nested too deeply or repeat too often, and keys that nobody can read.

    Raises:
        CheckpointError: What is wrong with them.
    """
    if isinstance(content, _CONTAINERS):
        _measure(content, 1, {}, {id(content)})


def _measure(node: Any, level: int, measured: Dict[int, Tuple[int, int]], around: Set[int]) -> Tuple[int, int]:
    """Return how many levels and values a container has, and refuse it where these are too many.

    Args:
        node: The container.
        level: That it stands at.
        measured: What was returned for others, by their ids.
        around: The ids of those that it stands in, and its own.
    """
    if isinstance(node, dict):
        _check_keys(node)
    levels, values = 1, 1 + len(node)
    for child in _children(node):
        if isinstance(child, _CONTAINERS) and child:
            key = id(child)
            if key in around:
                raise CheckpointError('it has a container that holds itself')
            if level == MAX_LEVELS:
                raise CheckpointError(_TOO_DEEP)
            if key not in measured:
                around.add(key)
                measured[key] = _measure(child, level + 1, measured, around)
                around.remove(key)
            levels, values = max(levels, 1 + measured[key][0]), values + measured[key][1]
    if level + levels - 1 > MAX_LEVELS:
        raise CheckpointError(_TOO_DEEP)
    if values > MAX_VALUES:
        raise CheckpointError(f'its containers hold more than {MAX_VALUES:,} values')
    return levels, values


def _children(node: Any) -> Iterator[Any]:
    if isinstance(node, Config):
        return iter((node._cfg_dict,))
    return iter(dict.values(node) if isinstance(node, dict) else node)


def _check_keys(node: dict) -> None:
    for key in dict.keys(node):
        if isinstance(key, str) and (len(key) > MAX_KEY or not key.isprintable()):
            raise CheckpointError(
                f'it has a key of {len(key)} letters'
                if len(key) > MAX_KEY
                else 'it has a key with letters that cannot be printed'
            )
    versions = getattr(node, '_metadata', None) if isinstance(node, OrderedDict) else None
    for version in (versions or {}).values():
        if not isinstance(version, dict) or not isinstance(version.get('version'), (int, type(None))):
            raise CheckpointError('the versions of its modules are described wrongly')


def check_size(size: Any, stride: Any, offset: int = 0) -> None:
    """Refuse a tensor with dimensions that PyTorch cannot have; see its ``c10::TensorImpl``."""
    if len(size) != len(stride) or any(type(value) is not int or value < 0 for value in (offset, *size, *stride)):
        raise CheckpointError('a tensor is described wrongly')
    if len(size) > 64:
        raise CheckpointError(f'a tensor has {len(size)} dimensions; at most 64 are possible')
    volume = 1
    for length in size:
        volume *= max(length, 1)
    if max((offset, volume, *stride)) > torch.iinfo(torch.int64).max:
        raise CheckpointError('a tensor is larger than any memory')
