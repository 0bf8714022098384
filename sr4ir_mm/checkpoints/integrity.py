"""Which checkpoint is whole, and whether it fills a model."""

import logging
import os
import os.path as osp
import re
import struct
import zipfile
import zlib
from contextlib import contextmanager
from glob import escape, glob
from typing import Iterator, List, Optional

from mmengine.logging import print_log

from sr4ir_mm.errors import CheckpointError, ConfigError, quote

#: bytes of the list of entries in a zip archive; a tensor takes about 100
_MAX_DIRECTORY = 2**23


@contextmanager
def open_archive(path: str) -> Iterator[zipfile.ZipFile]:
    """Open a checkpoint in PyTorch's format since 1.6, a zip archive whose entries are stored as they are.

    Raises:
        CheckpointError: It is cut off or damaged, or what it holds is larger than the file itself.
    """
    try:
        _check_directory(path)
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if any(entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1 for entry in entries):
                raise CheckpointError(f'The checkpoint {path} has compressed entries, which PyTorch does not write.')
            if sum(entry.file_size for entry in entries) > os.path.getsize(path):
                raise CheckpointError(f'The checkpoint {path} claims more data than the file holds.')
            yield archive
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, struct.error) as error:
        raise CheckpointError(f'The checkpoint {path} is damaged or cut off ({quote(error, 200)}).') from error


def _check_directory(path: str) -> None:
    """Refuse a long list of entries, each of which takes twenty times as much memory as in the file."""
    with open(path, 'rb') as file:
        record = zipfile._EndRecData(file)
    size = record[zipfile._ECD_SIZE] if record else 0
    if size > _MAX_DIRECTORY:
        raise CheckpointError(
            f'The checkpoint {path} has a list of entries of {size} bytes; at most {_MAX_DIRECTORY} ' 'are read.'
        )


def check_checkpoint(path: str) -> None:
    """Compare a checkpoint on the disk with the checksums that it carries.

    Args:
        path: A file in PyTorch's format since 1.6, a zip archive; others have no checksums and are not looked into.

    Raises:
        CheckpointError: It is cut off, or bits of it have changed.
    """
    try:
        with open(path, 'rb') as file:
            start = file.read(2)
        if start and start != b'PK':
            return
        with open_archive(path) as archive:
            damaged = archive.testzip()
    except (OSError, ValueError) as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(f'The checkpoint {path} is damaged or cut off ({quote(error, 200)}).') from error
    if damaged:
        raise CheckpointError(
            f'The checkpoint {path} is damaged: its entry {quote(damaged)} does not fit its checksum.'
        )


def latest_checkpoint(work_dir: str) -> Optional[str]:
    """The newest whole checkpoint of a training, or None where it has written none.

    Args:
        work_dir: With the file ``last_checkpoint``, which says where the checkpoints are.

    Raises:
        CheckpointError: There are checkpoints, but none is whole.
    """
    candidates = _candidates(work_dir)
    for path in candidates:
        try:
            check_checkpoint(path)
        except CheckpointError as error:
            print_log(f'{error} It is left out; looking for the one before.', 'current', level=logging.WARNING)
        else:
            return path
    if candidates:
        raise CheckpointError(
            f'All {len(candidates)} checkpoints in {osp.dirname(candidates[0])} are damaged; '
            'delete them to train from the beginning.'
        )
    return None


#: ends of the names of buffers that a network makes itself, from its config or while it trains
COMPUTED = ('num_batches_tracked', 'attn_mask', 'relative_position_index')


def check_filled(module, state: dict, checkpoint: str, what: str, advice: str) -> None:
    """Refuse weights that lack some of a module's, or have them in another shape: MMEngine leaves the rest at random.

    Args:
        module: The module that they are for; buffers that it makes itself, ``COMPUTED``, are not looked at.
        state: The weights by their names.
        checkpoint: Where they come from.
        what: What the user calls the module.
        advice: What to do about it.

    Raises:
        ConfigError: With the first tensors that do not fit.
    """
    from torch import Tensor  # this package's import shall not bring it

    def mistake(found, value) -> Optional[str]:
        if not isinstance(found, Tensor):
            return 'missing' if found is None else f'a {type(found).__name__}'
        return None if found.shape == value.shape else f'{tuple(found.shape)}, not {tuple(value.shape)}'

    expected = {name: value for name, value in module.state_dict().items() if not name.endswith(COMPUTED)}
    for prefix, each in module.named_modules():
        for name in getattr(each, 'fills_in', ()):  # what it makes itself where a checkpoint lacks it
            if (name := f'{prefix}.{name}'.lstrip('.')) not in state:
                expected.pop(name, None)
    mistakes = {name: mistake(state.get(name), value) for name, value in expected.items()}
    bad = [f'{name} ({what})' for name, what in mistakes.items() if what]
    if bad:
        raise ConfigError(
            f'The checkpoint {checkpoint} does not fit {what} in {len(bad)} of {len(expected)} tensors, '
            f'the first are: {", ".join(bad[:3])}; {advice}.'
        )


def _candidates(work_dir: str) -> List[str]:
    """The checkpoints that a training wrote one after the other, the newest first.

    Those in the work dir itself come first: in a copied one, ``last_checkpoint`` names the original.
    """
    paths, record = _written(work_dir), osp.join(work_dir, 'last_checkpoint')
    if not paths and osp.isfile(record):
        with open(record, errors='replace') as file:
            folder = osp.dirname(file.read(4096).strip())
        paths = _written(folder) if folder.isprintable() else []
    return sorted(paths, key=os.path.getmtime, reverse=True)


def _written(folder: str) -> List[str]:
    paths = glob(osp.join(escape(folder), '*.pth'))
    return [path for path in paths if re.fullmatch(r'(epoch|iter)_\d+\.pth', osp.basename(path)) and osp.isfile(path)]
