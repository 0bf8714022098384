"""Files that are never half there."""
import json
import os
import os.path as osp
from contextlib import suppress
from pathlib import Path
from typing import Union


def write_at_once(path: Union[str, Path], content: Union[bytes, memoryview], sync: bool = False) -> None:
    """Write a file beside its place, then give it its name: a reader, or a run that is interrupted, never has half of it.

    Args:
        path: Where; its folder is made.
        content: All of the file.
        sync: Wait until it is on the disk, so that a power failure does not leave half of it either.

    Raises:
        OSError: It cannot be written; what was there before is untouched.
    """
    folder, draft = osp.dirname(path) or '.', f'{path}.tmp'
    try:
        os.makedirs(folder, exist_ok=True)
        with open(draft, 'wb') as file:
            file.write(content)
            if sync:
                file.flush()
                os.fsync(file.fileno())
        os.replace(draft, path)
    except OSError:
        with suppress(OSError):
            os.remove(draft)
        raise
    if sync:
        directory = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def write_json(path: Union[str, Path], content: dict) -> None:
    """Write JSON, see :func:`write_at_once`."""
    write_at_once(path, (json.dumps(content, indent=2) + '\n').encode())
