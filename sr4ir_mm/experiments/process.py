"""Scripts as processes of their own, forked from one that has imported the libraries before.

To import the host libraries takes ten seconds of a CPU, which many short runs would pay one after the other.
"""

import multiprocessing
import os
import runpy
import sys
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Iterable, Sequence

#: the folder with configs/ and tools/: by links that of the source tree, in a wheel that of its copies
ROOT = (Path(__file__).parents[1] / '.mim' / 'tools').resolve().parent
_CONTEXT = multiprocessing.get_context('forkserver')


def import_once(modules: Iterable[str]) -> None:
    """Name what the scripts import; has an effect before the first of them starts only."""
    _CONTEXT.set_forkserver_preload(list(modules))


def start_script(script: Path, arguments: Sequence[str], log: Path) -> BaseProcess:
    """Start a Python script as its command line would; what it prints is appended to ``log``."""
    process = _CONTEXT.Process(target=_run, args=(str(script), list(arguments), str(log)))
    process.start()
    return process


def _run(script: str, arguments: Sequence[str], log: str) -> None:
    sys.stdout.flush()
    with open(log, 'a') as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    sys.argv = [script, *arguments]
    runpy.run_path(script, run_name='__main__')
