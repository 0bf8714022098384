"""Read the formats that checkpoints come in, as files of ``torch.save`` or safetensors, without running them.

Facts of the formats: the source of ``torch.serialization``, and the description of the format in safetensors' README.
"""

import io
import json
import re
import struct
import sys
import zipfile
from typing import Any, Dict, Tuple

import torch

from sr4ir_mm.errors import CheckpointError, quote

from .budget import Budget, check_size
from .unpickler import Storage, Unpickler, check, whole_numbers

LEGACY_MAGIC, LEGACY_PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
MAX_HEADER = 2**23  # of safetensors; a tensor takes about 100 bytes


def _storage_request(saved_id: Any) -> Tuple[torch.dtype, str, int, Any]:
    check(
        isinstance(saved_id, tuple)
        and len(saved_id) >= 5
        and saved_id[0] == 'storage'
        and isinstance(saved_id[1], torch.dtype)
        and isinstance(saved_id[2], str)
        and whole_numbers(saved_id[4]),
        'a storage is described wrongly',
    )
    _, dtype, key, _, count = saved_id[:5]
    return dtype, key, count * dtype.itemsize, saved_id[5] if len(saved_id) > 5 else None


def read_zip(archive: zipfile.ZipFile, file_size: int) -> Any:
    """Read a file in PyTorch's format since 1.6, onto the CPU.

    Args:
        archive: As :func:`sr4ir_mm.checkpoints.integrity.open_archive` returns it. Each entry's checksum is compared.
        file_size: Bytes of the file, by which the memory is bounded.
    """
    names = archive.namelist()
    roots = [name[: -len('data.pkl')] for name in names if re.fullmatch(r'[^/]*/data\.pkl', name)]
    check(len(roots) == 1, 'it is a zip archive without a pickle of PyTorch')
    root = roots[0]
    if f'{root}constants.pkl' in names:
        raise CheckpointError('it is a TorchScript program, not a checkpoint')
    order = archive.read(f'{root}byteorder').decode() if f'{root}byteorder' in names else 'little'
    check(order == sys.byteorder, f'its numbers are {quote(order)}-endian, those of this machine are {sys.byteorder}')
    storages: Dict[str, Storage] = {}

    def load(saved_id: Any) -> Storage:
        dtype, key, size, _ = _storage_request(saved_id)
        if key not in storages:
            check(f'{root}data/{key}' in archive.NameToInfo, f'the storage {quote(key)} is missing')
            content = archive.read(f'{root}data/{key}')
            check(len(content) == size, f'a storage is to have {quote(size)} bytes, but has {len(content)}')
            storages[key] = Storage(_to_memory(content), dtype)
        return Storage(storages[key].memory, dtype)

    pickled = archive.read(f'{root}data.pkl')
    return Unpickler(io.BytesIO(pickled), len(pickled), load, Budget(file_size)).load()


def _to_memory(content: bytes) -> torch.UntypedStorage:
    if not content:
        return torch.UntypedStorage(0)
    return torch.frombuffer(bytearray(content), dtype=torch.uint8).untyped_storage()


def read_legacy(file: io.BufferedReader, file_size: int) -> Any:
    """Read a file in PyTorch's format before 1.6, as many published checkpoints have it, onto the CPU.

    Args:
        file: Open at its beginning.
        file_size: Bytes of the file, by which the memory is bounded.
    """
    budget = Budget(file_size)
    storages: Dict[str, Storage] = {}
    left = file_size

    def load(saved_id: Any) -> Storage:
        nonlocal left
        dtype, key, size, view = _storage_request(saved_id)
        if key not in storages:
            left -= size
            check(left >= 0, f'a storage of {quote(size)} bytes is described in a file of {file_size}')
            storages[key] = Storage(torch.UntypedStorage(size), dtype)
        check(view is None, 'it has storages within storages')
        return storages[key]

    def refuse(saved_id: Any) -> None:
        raise CheckpointError('its header is not one of PyTorch')

    def unpickle(persistent_load) -> Any:
        return Unpickler(file, file_size - file.tell(), persistent_load, budget).load()

    magic, protocol, system = (unpickle(refuse) for _ in range(3))
    check(
        magic == LEGACY_MAGIC and protocol == LEGACY_PROTOCOL and isinstance(system, dict),
        'it is a pickle, but none that PyTorch has written',
    )
    check(system.get('little_endian', True) == (sys.byteorder == 'little'), 'its numbers have the wrong byte order')
    content, keys = unpickle(load), unpickle(refuse)
    check(isinstance(keys, list), 'its storages are described wrongly')
    for key in keys:
        check(isinstance(key, str) and key in storages, 'a storage is not described')
        storage = storages.pop(key)
        memory = storage.memory
        (count,) = struct.unpack('<q', file.read(8))
        check(count * storage.dtype.itemsize == memory.nbytes(), 'a storage has another size than described')
        if memory.nbytes():
            view = torch.empty(0, dtype=torch.uint8).set_(memory).numpy()
            check(file.readinto(memoryview(view)) == memory.nbytes(), 'it is cut off')
    check(not storages, 'it is cut off')
    return content


def read_safetensors(path: str) -> dict:
    """Read a file of safetensors onto the CPU, ``meta`` from the JSON in its header."""
    from safetensors import safe_open

    with open(path, 'rb') as file:
        (length,) = struct.unpack('<Q', file.read(8))
        check(length <= MAX_HEADER, f'its header has {length} bytes; at most {MAX_HEADER} are read')
        header = json.loads(file.read(length))
    shapes = [entry.get('shape') for name, entry in header.items() if name != '__metadata__']
    for shape in shapes:
        check_size(shape, [1] * len(shape))
    with safe_open(path, 'pt') as file:
        meta = (file.metadata() or {}).get('meta', '{}')
        return dict(meta=json.loads(meta), state_dict={name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118  no dict
