"""Files that are never half there, and folders that one process has to itself."""

import errno
import fcntl
import json
import os
import os.path as osp
import socket
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Iterator, Union

from mmengine.logging import print_log

from sr4ir_mm.errors import ConfigError


@contextmanager
def locked(work_dir: str) -> Iterator[None]:
    """Have the work dir of a training for this process alone.

    The lock belongs to the process, not to the file ``.lock``: however the process ends, the system takes it back.
    Worker processes do not inherit it. On a network file system it needs the server's lock service.

    Args:
        work_dir: The folder; it is made where it does not exist.

    Raises:
        ConfigError: Another process has it, or it cannot be written to.
    """
    try:
        os.makedirs(work_dir, exist_ok=True)
        file = open(osp.join(work_dir, '.lock'), 'a+')  # noqa: SIM115  closed below, where other errors are told
    except OSError as error:
        raise ConfigError(f"work_dir is '{work_dir}', where nothing can be written: {error.strerror}.") from error
    with file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EAGAIN):
                file.seek(0)
                raise ConfigError(
                    f"work_dir is '{work_dir}', in which another training runs ({file.read(200).strip()}); "
                    'wait until it has ended, stop it, or choose another --work-dir.'
                ) from error
            print_log(
                f"The file system of '{work_dir}' has no locks ({error.strerror}): a second training in this folder "
                'would not be noticed.',
                'current',
                level=30,
            )
        else:
            file.truncate(0)
            file.write(f'process {os.getpid()} on {socket.gethostname()}, since {time.strftime("%Y-%m-%d %H:%M:%S")}\n')
            file.flush()
        yield


def write_at_once(path: Union[str, Path], content: Union[bytes, memoryview], sync: bool = False) -> None:
    """Write a file beside its place, then give it its name: no reader and no interrupted run ever has half of
    it.

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
