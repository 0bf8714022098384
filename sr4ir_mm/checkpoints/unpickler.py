"""Files of ``torch.save`` without the trust that pickle asks for.

The readers are our own rather than ``torch.load``: its ``weights_only`` differs from release to release, refuses what
MMEngine writes, and its zip reader believes the size that a tensor claims to have. Facts of both formats: the source
of ``torch.serialization``.
"""
import codecs
import io
import math
import pickle
import re
import struct
import sys
import zipfile
from collections import OrderedDict, defaultdict
from types import FunctionType
from typing import Any, BinaryIO, Callable, Dict, Optional, Tuple

import numpy as np
import torch
from mmengine.config import Config, ConfigDict
from mmengine.logging import HistoryBuffer
from mmengine.optim.scheduler.param_scheduler import OneCycleParamScheduler

from sr4ir_mm.utils import CheckpointError

LEGACY_MAGIC, LEGACY_PROTOCOL = 0x1950a86a20f9469cfc6c, 1001
_DTYPES = dict(
    DoubleStorage=torch.float64,
    FloatStorage=torch.float32,
    HalfStorage=torch.float16,
    BFloat16Storage=torch.bfloat16,
    LongStorage=torch.int64,
    IntStorage=torch.int32,
    ShortStorage=torch.int16,
    CharStorage=torch.int8,
    ByteStorage=torch.uint8,
    UntypedStorage=torch.uint8,
    BoolStorage=torch.bool,
    ComplexFloatStorage=torch.complex64,
    ComplexDoubleStorage=torch.complex128)
_KEYS = (str, int, float, bool, bytes, type(None))


class Refused(CheckpointError):
    """A checkpoint asks for something that is not on the list."""


class _Storage:
    """Memory of tensors, and the type that it was saved with."""

    def __init__(self, memory: torch.UntypedStorage, dtype: torch.dtype) -> None:
        self.memory = memory
        self.dtype = dtype


def _check(condition: bool, what: str) -> None:
    if not condition:
        raise CheckpointError(what)


def _whole_numbers(*values: Any) -> bool:
    return all(type(value) is int and value >= 0 for value in values)


# ---------- what a pickle may call, each with the arguments that the libraries themselves write


def _rebuild_tensor(storage: _Storage,
                    offset: int,
                    size: tuple,
                    stride: tuple,
                    requires_grad: bool = False,
                    *ignored) -> torch.Tensor:
    """A tensor in its storage; ``ignored`` are hooks and metadata."""
    _check(
        isinstance(storage, _Storage) and len(size) == len(stride) and _whole_numbers(offset, *size, *stride),
        'a tensor is described wrongly')
    held = storage.memory.nbytes() // storage.dtype.itemsize
    last = offset + sum((length - 1) * step for length, step in zip(size, stride)) if math.prod(size) else 0
    # a stride of zero makes a tensor larger than its storage; nobody saves that
    _check(
        math.prod(size) <= held and last < max(held, 1),
        f'a tensor of {"×".join(map(str, size))} values is described, but its storage has {held}')
    tensor = torch.empty(0, dtype=storage.dtype).set_(storage.memory, offset, size, stride)
    return tensor.requires_grad_(requires_grad is True and storage.dtype.is_floating_point)


def _rebuild_parameter(data: torch.Tensor, requires_grad: bool, *ignored) -> torch.nn.Parameter:
    return torch.nn.Parameter(data, requires_grad is True)


def _size(values: tuple) -> torch.Size:
    return torch.Size(values)


def _device(*args) -> torch.device:
    return torch.device(*args)


def _encode(text: str, encoding: str) -> bytes:
    """How protocol 2 writes bytes."""
    _check(encoding in ('latin1', 'latin-1'), f'text is to be encoded as {str(encoding)[:40]!r}')
    return codecs.latin_1_encode(text)[0]


def _dtype(spec: str, *ignored) -> np.dtype:
    _check(
        isinstance(spec, str) and re.fullmatch(r'[|<>=]?[biufcSU?]\d{0,9}', spec) is not None,
        f'a NumPy array has the type {str(spec)[:40]!r}; allowed are numbers and text')
    return np.dtype(spec, False, True)  # a copy: its byte order follows


def _array(kind: Any, *ignored) -> np.ndarray:
    """An empty array; its content follows."""
    return np.ndarray((0, ), 'i1')


def _scalar(dtype: np.dtype, content: bytes) -> np.generic:
    _check(
        isinstance(dtype, np.dtype) and isinstance(content, bytes) and len(content) == dtype.itemsize > 0,
        'a NumPy number is described wrongly')
    return np.frombuffer(content, dtype)[0]


def _getattr(owner: type, name: str) -> Optional[Callable]:
    """The methods that MMEngine itself writes; a buffer knows its own anyway."""
    if owner is HistoryBuffer and name in ('min', 'max', 'mean', 'current'):
        return None
    if owner is OneCycleParamScheduler and name in ('_annealing_cos', '_annealing_linear'):
        return getattr(owner, name)
    raise Refused('builtins.getattr')


def _config_dict(content: Optional[dict] = None) -> ConfigDict:
    config = ConfigDict()
    for key, value in (content or {}).items():  # not ConfigDict(content): what is nested is one already
        dict.__setitem__(config, key, value)
    return config


def _default_dict(factory: Any = None) -> defaultdict:
    return defaultdict(factory if factory in (list, dict, int, float) else None)


def _ordered_dict(*args) -> OrderedDict:
    return OrderedDict(*([(key, value) for key, value in pairs if isinstance(key, _KEYS)] for pairs in args))


def _set(members: list) -> set:
    _check(all(isinstance(member, _KEYS) for member in members), 'a set has members that are neither text nor number')
    return set(members)


def _frozenset(members: list) -> frozenset:
    return frozenset(_set(members))


_FUNCTIONS: Dict[Tuple[str, str], Callable] = {
    ('torch._utils', '_rebuild_tensor'): _rebuild_tensor,
    ('torch._utils', '_rebuild_tensor_v2'): _rebuild_tensor,
    ('torch._utils', '_rebuild_parameter'): _rebuild_parameter,
    ('torch', 'Size'): _size,
    ('torch', 'device'): _device,
    ('collections', 'OrderedDict'): _ordered_dict,
    ('collections', 'defaultdict'): _default_dict,
    ('builtins', 'set'): _set,
    ('builtins', 'frozenset'): _frozenset,
    ('builtins', 'getattr'): _getattr,
    ('_codecs', 'encode'): _encode,
    ('numpy', 'dtype'): _dtype,
    ('numpy.core.multiarray', '_reconstruct'): _array,
    ('numpy.core.multiarray', 'scalar'): _scalar,
    ('mmengine.config.config', 'ConfigDict'): _config_dict,
}
#: what a pickle may name; made only without arguments, and filled by :meth:`Unpickler.load_build`
_CLASSES = {
    ('mmengine.logging.history_buffer', 'HistoryBuffer'): HistoryBuffer,
    ('mmengine.config.config', 'Config'): Config,
    ('mmengine.optim.scheduler.param_scheduler', 'OneCycleParamScheduler'): OneCycleParamScheduler,
    ('numpy', 'ndarray'): np.ndarray,
    ('builtins', 'list'): list,
    ('builtins', 'dict'): dict,
    ('builtins', 'int'): int,
    ('builtins', 'float'): float,
}
_CALLABLE = frozenset(_FUNCTIONS.values())
_MADE = (HistoryBuffer, Config)


class Unpickler(pickle._Unpickler):  # the C class neither lets its steps be replaced nor bounds its memo
    """A pickle machine that calls what is in this file's tables, and nothing else.

    Args:
        file: Where the pickle begins.
        persistent_load: From the tuple that stands for a storage to the storage.
    """
    dispatch = dict(pickle._Unpickler.dispatch)

    def __init__(self, file: BinaryIO, persistent_load: Callable[[tuple], _Storage]) -> None:
        super().__init__(file, encoding='utf-8')
        self._load_storage = persistent_load

    def persistent_load(self, saved_id: Any) -> _Storage:
        return self._load_storage(saved_id)

    def find_class(self, module: str, name: str) -> Any:
        module = {'__builtin__': 'builtins', 'numpy._core.multiarray': 'numpy.core.multiarray'}.get(module, module)
        for table in (_FUNCTIONS, _CLASSES):
            if (module, name) in table:
                return table[module, name]
        if module in ('torch', 'torch.cuda', 'torch.storage') and name in _DTYPES:
            return _DTYPES[name]
        if module == 'torch' and isinstance(getattr(torch, name, None), torch.dtype):
            return getattr(torch, name)
        raise Refused(f'{module}.{name}')

    def load_reduce(self) -> None:
        args = self.stack.pop()
        function = self.stack[-1]
        _check(
            isinstance(function, FunctionType) and function in _CALLABLE and isinstance(args, tuple),
            'the pickle calls what is no function')
        self.stack[-1] = function(*args)

    def load_newobj(self) -> None:
        args = self.stack.pop()
        made = self.stack.pop()
        _check(isinstance(made, type) and made in _MADE and args == (), 'the pickle makes an object of a wrong type')
        self.append(made.__new__(made))

    def load_build(self) -> None:
        state = self.stack.pop()
        target = self.stack[-1]
        if isinstance(target, np.dtype):
            _check(
                isinstance(state, tuple) and len(state) > 4 and state[1] in ('<', '>', '|', '=')
                and state[2:5] == (None, None, None), 'a NumPy type is described wrongly')
            sized = (target.itemsize, target.alignment) if target.kind in 'SU' else (-1, -1)
            target.__setstate__((3, state[1], None, None, None, *sized, 0))
        elif type(target) is np.ndarray:
            _check(isinstance(state, tuple) and len(state) == 5, 'a NumPy array is described wrongly')
            _, shape, dtype, fortran, content = state
            _check(
                isinstance(shape, tuple) and _whole_numbers(*shape) and isinstance(dtype, np.dtype)
                and isinstance(content, bytes) and math.prod(shape) * dtype.itemsize == len(content),
                'a NumPy array has another size than its content')
            target.__setstate__((1, shape, dtype, fortran is True, content))
        elif type(target) is OrderedDict:  # the versions of modules, for their own conversions
            _check(isinstance(state, dict) and state.keys() <= {'_metadata'}, 'a dict has unknown attributes')
            target.__dict__.update(state)
        elif type(target) is HistoryBuffer:
            _check(
                isinstance(state, dict)
                and all(isinstance(state.get(name), np.ndarray) for name in ('_log_history', '_count_history')),
                'a history of MMEngine is described wrongly')
            filled = HistoryBuffer(max_length=int(state.get('max_length', 1000000)))
            filled._log_history, filled._count_history = state['_log_history'], state['_count_history']
            target.__dict__.update(filled.__dict__)
        elif type(target) is Config:
            _check(
                isinstance(state, tuple) and len(state) > 2 and isinstance(state[0], ConfigDict)
                and all(isinstance(text, (str, type(None))) for text in state[1:3]), 'a config is described wrongly')
            target.__setstate__(state)
        else:
            raise CheckpointError(f'the pickle changes a {type(target).__name__}')

    def load_setitem(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._set_items([key, value])

    def load_setitems(self) -> None:
        self._set_items(self.pop_mark())

    def _set_items(self, items: list) -> None:
        target = self.stack[-1]
        _check(type(target) in (dict, OrderedDict, defaultdict), f'the pickle changes a {type(target).__name__}')
        for key, value in zip(items[::2], items[1::2]):
            # the hash of a deeply nested tuple would overflow the stack
            simple = isinstance(key, _KEYS) or isinstance(key, tuple) and all(isinstance(one, _KEYS) for one in key)
            _check(simple, f'a dict has a {type(key).__name__} as key')
            target[key] = value

    def load_dict(self) -> None:
        items = self.pop_mark()
        self.append({})
        self._set_items(items)

    def load_additems(self) -> None:
        members = self.pop_mark()
        _check(type(self.stack[-1]) is set, f'the pickle changes a {type(self.stack[-1]).__name__}')
        self.stack[-1].update(_set(members))

    def load_frozenset(self) -> None:
        self.append(_frozenset(self.pop_mark()))

    def load_append(self) -> None:
        value = self.stack.pop()
        self._extend([value])

    def load_appends(self) -> None:
        self._extend(self.pop_mark())

    def _extend(self, values: list) -> None:
        _check(type(self.stack[-1]) is list, f'the pickle changes a {type(self.stack[-1]).__name__}')
        self.stack[-1].extend(values)


for _opcode, _method in (('REDUCE', 'load_reduce'), ('NEWOBJ', 'load_newobj'), ('BUILD', 'load_build'),
                         ('SETITEM', 'load_setitem'), ('SETITEMS', 'load_setitems'), ('DICT', 'load_dict'),
                         ('APPEND', 'load_append'), ('APPENDS', 'load_appends'), ('ADDITEMS', 'load_additems'),
                         ('FROZENSET', 'load_frozenset')):
    Unpickler.dispatch[getattr(pickle, _opcode)[0]] = getattr(Unpickler, _method)
for _opcode in ('INST', 'OBJ', 'NEWOBJ_EX', 'EXT1', 'EXT2', 'EXT4', 'BYTEARRAY8', 'NEXT_BUFFER', 'READONLY_BUFFER'):
    del Unpickler.dispatch[getattr(pickle, _opcode)[0]]

# ---------- the two formats of torch.save


def _storage_request(saved_id: Any) -> Tuple[torch.dtype, str, int, Any]:
    _check(
        isinstance(saved_id, tuple) and len(saved_id) >= 5 and saved_id[0] == 'storage'
        and isinstance(saved_id[1], torch.dtype) and isinstance(saved_id[2], str) and _whole_numbers(saved_id[4]),
        'a storage is described wrongly')
    _, dtype, key, _, count = saved_id[:5]
    return dtype, key, count * dtype.itemsize, saved_id[5] if len(saved_id) > 5 else None


def read_zip(archive: zipfile.ZipFile) -> Any:
    """The content of a file in PyTorch's format since 1.6, on the CPU.

    Args:
        archive: As :func:`sr4ir_mm.utils.checkpoint.open_archive` returns it. Each entry's checksum is compared.
    """
    names = archive.namelist()
    roots = [name[:-len('data.pkl')] for name in names if re.fullmatch(r'[^/]*/data\.pkl', name)]
    _check(len(roots) == 1, 'it is a zip archive without a pickle of PyTorch')
    root = roots[0]
    if f'{root}constants.pkl' in names:
        raise CheckpointError('it is a TorchScript program, not a checkpoint')
    order = archive.read(f'{root}byteorder').decode() if f'{root}byteorder' in names else 'little'
    _check(order == sys.byteorder, f'its numbers are {order[:10]}-endian, those of this machine are {sys.byteorder}')
    storages: Dict[str, _Storage] = {}

    def load(saved_id: Any) -> _Storage:
        dtype, key, size, _ = _storage_request(saved_id)
        if key not in storages:
            _check(f'{root}data/{key}' in archive.NameToInfo, f'the storage {key[:40]!r} is missing')
            content = archive.read(f'{root}data/{key}')
            _check(len(content) == size, f'a storage is to have {size} bytes, but has {len(content)}')
            storages[key] = _Storage(_to_memory(content), dtype)
        return _Storage(storages[key].memory, dtype)

    return Unpickler(io.BytesIO(archive.read(f'{root}data.pkl')), load).load()


def _to_memory(content: bytes) -> torch.UntypedStorage:
    if not content:
        return torch.UntypedStorage(0)
    return torch.frombuffer(bytearray(content), dtype=torch.uint8).untyped_storage()


def read_legacy(file: BinaryIO, file_size: int) -> Any:
    """The content of a file in PyTorch's format before 1.6, as many published checkpoints have it, on the CPU.

    Args:
        file: Open at its beginning.
        file_size: Bound of what is allocated.
    """
    storages: Dict[str, _Storage] = {}
    left = file_size

    def load(saved_id: Any) -> _Storage:
        nonlocal left
        dtype, key, size, view = _storage_request(saved_id)
        if key not in storages:
            left -= size
            _check(left >= 0, f'a storage of {size} bytes is described in a file of {file_size}')
            storages[key] = _Storage(torch.UntypedStorage(size), dtype)
        _check(view is None, 'it has storages within storages')
        return storages[key]

    def refuse(saved_id: Any) -> None:
        raise CheckpointError('its head is no head of PyTorch')

    magic, protocol, system = (Unpickler(file, refuse).load() for _ in range(3))
    _check(magic == LEGACY_MAGIC and protocol == LEGACY_PROTOCOL and isinstance(system, dict),
           'it is a pickle, but none that PyTorch has written')
    _check(system.get('little_endian', True) == (sys.byteorder == 'little'), 'its numbers have the wrong byte order')
    content = Unpickler(file, load).load()
    for key in Unpickler(file, refuse).load():
        _check(isinstance(key, str) and key in storages, 'a storage is not described')
        storage = storages.pop(key)
        memory = storage.memory
        count, = struct.unpack('<q', file.read(8))
        _check(count * storage.dtype.itemsize == memory.nbytes(), 'a storage has another size than described')
        if memory.nbytes():
            view = torch.empty(0, dtype=torch.uint8).set_(memory).numpy()
            _check(file.readinto(memoryview(view)) == memory.nbytes(), 'it is cut off')
    _check(not storages, 'it is cut off')
    return content
