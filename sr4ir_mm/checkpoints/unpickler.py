"""Run pickles of ``torch.save`` without the trust that pickle asks for.

The reader is our own rather than ``torch.load``: its ``weights_only`` differs from release to release, refuses what
MMEngine writes, and its zip reader believes the size that a tensor claims to have.
"""

import codecs
import math
import pickle
import re
from collections import OrderedDict, defaultdict
from types import FunctionType
from typing import Any, BinaryIO, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np
import torch
from mmengine.config import Config, ConfigDict
from mmengine.logging import HistoryBuffer
from mmengine.optim.scheduler.param_scheduler import OneCycleParamScheduler

from sr4ir_mm.errors import CheckpointError, quote

from .budget import ODD_KEY, Budget, check_size

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
    ComplexDoubleStorage=torch.complex128,
)
_KEYS = (str, int, float, bool, bytes, type(None))
#: letters of a line; lines are names of what is called, and numbers
_MAX_LINE = 2**12


class Refused(CheckpointError):
    """A checkpoint asks for something that is not on the list."""


class Storage:
    """Memory of tensors, and the type that it was saved with."""

    def __init__(self, memory: torch.UntypedStorage, dtype: torch.dtype) -> None:
        self.memory = memory
        self.dtype = dtype


def check(condition: bool, what: str) -> None:
    """Raise a :class:`CheckpointError` where something does not hold."""
    if not condition:
        raise CheckpointError(what)


def whole_numbers(*values: Any) -> bool:
    """Return whether all are whole numbers that a size or a position can be."""
    return all(type(value) is int and 0 <= value < 2**63 for value in values)


# ---------- what a pickle may call, each with the arguments that the libraries themselves write


def _rebuild_tensor(
    storage: Storage, offset: int, size: tuple, stride: tuple, requires_grad: bool = False, *ignored
) -> torch.Tensor:
    """A tensor in its storage; ``ignored`` are hooks and metadata."""
    check(isinstance(storage, Storage), 'a tensor is described wrongly')
    check_size(size, stride, offset)
    held = storage.memory.nbytes() // storage.dtype.itemsize
    last = offset + sum((length - 1) * step for length, step in zip(size, stride)) if math.prod(size) else 0
    # a stride of zero makes a tensor larger than its storage; nobody saves that
    check(
        math.prod(size) <= held and last < max(held, 1),
        f'a tensor of {quote("×".join(map(str, size)))} values is described, but its storage has {held}',
    )
    tensor = torch.empty(0, dtype=storage.dtype).set_(storage.memory, offset, size, stride)
    return tensor.requires_grad_(requires_grad is True and storage.dtype.is_floating_point)


def _rebuild_parameter(data: torch.Tensor, requires_grad: bool, *ignored) -> torch.nn.Parameter:
    return torch.nn.Parameter(data, requires_grad is True)


def _size(values: tuple) -> torch.Size:
    return torch.Size(values)


def _device(*args) -> torch.device:
    return torch.device(*args)


def _encode(text: str, encoding: str) -> bytes:
    """Decode bytes as protocol 2 writes them."""
    check(encoding in ('latin1', 'latin-1'), f'text is to be encoded as {quote(encoding)}')
    return codecs.latin_1_encode(text)[0]


def _dtype(spec: str, *ignored) -> np.dtype:
    check(
        isinstance(spec, str) and re.fullmatch(r'[|<>=]?[biufcSU?]\d{0,9}', spec) is not None,
        f'a NumPy array has the type {quote(spec)}; allowed are numbers and text',
    )
    return np.dtype(spec, False, True)  # a copy: its byte order follows


def _array(kind: Any, *ignored) -> np.ndarray:
    """An empty array; its content follows."""
    return np.ndarray((0,), 'i1')


def _scalar(dtype: np.dtype, content: bytes) -> np.generic:
    check(
        isinstance(dtype, np.dtype) and isinstance(content, bytes) and len(content) == dtype.itemsize > 0,
        'a NumPy number is described wrongly',
    )
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


def _ordered_dict(pairs: Sequence = ()) -> OrderedDict:
    check(
        isinstance(pairs, (list, tuple))
        and all(isinstance(pair, (list, tuple)) and len(pair) == 2 for pair in pairs)
        and _may_be_keys([key for key, _ in pairs]),
        'an ordered dict is described wrongly',
    )
    return OrderedDict(pairs)


def _set(members: list) -> set:
    check(_may_be_keys(members), 'a set has members that are neither text nor small numbers')
    return set(members)


def _frozenset(members: list) -> frozenset:
    return frozenset(_set(members))


def _cost(keys: Sequence) -> int:
    """Steps that it takes to put these into a dict; others than text and small numbers can be made to collide."""
    return sum(
        1 if isinstance(key, (str, bytes, bool, type(None))) or type(key) is int and abs(key) < 2**60 else ODD_KEY
        for key in keys
    )


def _may_be_keys(keys: Sequence) -> bool:
    return all(isinstance(key, _KEYS) for key in keys) and (_cost(keys) == len(keys) or len(keys) < 20)


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
        left: Bytes that the file has from there.
        persistent_load: From the tuple that stands for a storage to the storage.
        budget: What the pickle takes is counted there.
    """

    dispatch = dict(pickle._Unpickler.dispatch)

    def __init__(self, file: BinaryIO, left: int, persistent_load: Callable[[tuple], Storage], budget: Budget) -> None:
        super().__init__(file, encoding='utf-8')
        self._file = file
        self._end = file.tell() + left
        self._load_storage = persistent_load
        self._budget = budget

    def load(self) -> Any:
        """Run the pickle: as the base class does, but each step is counted, and each read bounded."""
        unframer = pickle._Unframer(self._read_bounded, self._read_line)
        self.read, self.readline, self._unframer = unframer.read, unframer.readline, unframer
        self.stack: List[Any] = []
        self.metastack: List[Any] = []
        self.proto = 0
        self.append = self.stack.append
        try:
            while True:
                self._budget.step()
                opcode = self.read(1)
                check(opcode != b'', 'it is cut off')
                self.dispatch[opcode[0]](self)
        except pickle._Stop as stop:
            return stop.value

    def _read_bounded(self, size: int) -> bytes:
        # Python reserves the memory for what it reads before it knows whether the file has it
        check(size <= _MAX_LINE or size <= self._end - self._file.tell(), 'it is cut off')
        content = self._file.read(size)
        check(len(content) == size or size == 1, 'it is cut off')
        return content

    def _read_line(self) -> bytes:
        line = self._file.readline(_MAX_LINE)
        check(len(line) < _MAX_LINE, 'a line of its pickle is too long')
        return line

    def persistent_load(self, saved_id: Any) -> Storage:
        self._budget.call()
        return self._load_storage(saved_id)

    def find_class(self, module: str, name: str) -> Any:
        module = {'__builtin__': 'builtins', 'numpy._core.multiarray': 'numpy.core.multiarray'}.get(module, module)
        for table in (_FUNCTIONS, _CLASSES):
            if (module, name) in table:
                return table[module, name]
        if module in ('torch', 'torch.cuda', 'torch.storage') and name in _DTYPES:
            return _DTYPES[name]
        # not getattr: that of torch imports modules
        if module == 'torch' and isinstance(vars(torch).get(name), torch.dtype):
            return vars(torch)[name]
        raise Refused(quote(f'{module}.{name}'))

    def load_reduce(self) -> None:
        args = self.stack.pop()
        function = self.stack[-1]
        check(
            isinstance(function, FunctionType) and function in _CALLABLE and isinstance(args, tuple),
            'the pickle calls something that is not a function',
        )
        self._budget.call(*args)
        result = function(*args)
        if isinstance(result, torch.Tensor):
            self._budget.tensor(result.nbytes)
        self.stack[-1] = result

    def load_newobj(self) -> None:
        args = self.stack.pop()
        made = self.stack.pop()
        check(isinstance(made, type) and made in _MADE and args == (), 'the pickle makes an object of a wrong type')
        self._budget.call()
        self.append(made.__new__(made))

    def load_build(self) -> None:
        state = self.stack.pop()
        self._budget.call(*state if isinstance(state, tuple) else ())
        target = self.stack[-1]
        if isinstance(target, np.dtype):
            check(
                isinstance(state, tuple)
                and len(state) > 4
                and state[1] in ('<', '>', '|', '=')
                and state[2:5] == (None, None, None),
                'a NumPy type is described wrongly',
            )
            sized = (target.itemsize, target.alignment) if target.kind in 'SU' else (-1, -1)
            target.__setstate__((3, state[1], None, None, None, *sized, 0))
        elif type(target) is np.ndarray:
            check(isinstance(state, tuple) and len(state) == 5, 'a NumPy array is described wrongly')
            _, shape, dtype, fortran, content = state
            check(isinstance(shape, tuple) and isinstance(dtype, np.dtype), 'a NumPy array is described wrongly')
            check_size(shape, (1,) * len(shape))
            check(
                isinstance(content, bytes) and math.prod(shape) * dtype.itemsize == len(content),
                'a NumPy array has another size than its content',
            )
            target.__setstate__((1, shape, dtype, fortran is True, content))
        elif type(target) is OrderedDict:  # the versions of modules, for their own conversions
            check(
                isinstance(state, dict)
                and state.keys() <= {'_metadata'}
                and isinstance(state.get('_metadata', {}), dict),
                'a dict has unknown attributes',
            )
            target.__dict__.update(state)
        elif type(target) is HistoryBuffer:
            check(
                isinstance(state, dict)
                and all(isinstance(state.get(name), np.ndarray) for name in ('_log_history', '_count_history')),
                'a history of MMEngine is described wrongly',
            )
            arrays = [state[name] for name in ('_log_history', '_count_history')]
            check(
                all(array.ndim == 1 and array.dtype.kind in 'biuf' for array in arrays)
                and len(arrays[0]) == len(arrays[1])
                and whole_numbers(state.get('max_length', 0)),
                'a history of MMEngine is described wrongly',
            )
            filled = HistoryBuffer(max_length=state.get('max_length', 1000000))
            filled._log_history, filled._count_history = state['_log_history'], state['_count_history']
            target.__dict__.update(filled.__dict__)
        elif type(target) is Config:
            check(
                isinstance(state, tuple)
                and len(state) > 2
                and isinstance(state[0], ConfigDict)
                and all(isinstance(text, (str, type(None))) for text in state[1:3]),
                'a config is described wrongly',
            )
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
        check(type(target) in (dict, OrderedDict, defaultdict), f'the pickle changes a {type(target).__name__}')
        self._budget.step(_cost(items[::2]))
        for key, value in zip(items[::2], items[1::2]):
            # the hash of a deeply nested tuple would overflow the stack
            simple = isinstance(key, _KEYS) or isinstance(key, tuple) and all(isinstance(one, _KEYS) for one in key)
            check(simple, f'a dict has a {type(key).__name__} as key')
            target[key] = value

    def load_dict(self) -> None:
        items = self.pop_mark()
        self.append({})
        self._set_items(items)

    def load_additems(self) -> None:
        members = self.pop_mark()
        check(type(self.stack[-1]) is set, f'the pickle changes a {type(self.stack[-1]).__name__}')
        self._budget.step(_cost(members))
        self.stack[-1].update(_set(members))

    def load_frozenset(self) -> None:
        self.append(_frozenset(self.pop_mark()))

    def load_append(self) -> None:
        value = self.stack.pop()
        self._extend([value])

    def load_appends(self) -> None:
        self._extend(self.pop_mark())

    def _extend(self, values: list) -> None:
        check(type(self.stack[-1]) is list, f'the pickle changes a {type(self.stack[-1]).__name__}')
        self.stack[-1].extend(values)


for _opcode, _method in (
    ('REDUCE', 'load_reduce'),
    ('NEWOBJ', 'load_newobj'),
    ('BUILD', 'load_build'),
    ('SETITEM', 'load_setitem'),
    ('SETITEMS', 'load_setitems'),
    ('DICT', 'load_dict'),
    ('APPEND', 'load_append'),
    ('APPENDS', 'load_appends'),
    ('ADDITEMS', 'load_additems'),
    ('FROZENSET', 'load_frozenset'),
):
    Unpickler.dispatch[getattr(pickle, _opcode)[0]] = getattr(Unpickler, _method)
for _opcode in ('INST', 'OBJ', 'NEWOBJ_EX', 'EXT1', 'EXT2', 'EXT4', 'BYTEARRAY8', 'NEXT_BUFFER', 'READONLY_BUFFER'):
    del Unpickler.dispatch[getattr(pickle, _opcode)[0]]
