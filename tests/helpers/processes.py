"""Processes of a test: one to be killed, or several joined through gloo."""

import multiprocessing
import os
import signal
import socket
import sys
import tempfile
import time
import traceback
from contextlib import suppress
from datetime import timedelta

import torch
import torch.distributed as dist

TIMEOUT = 120


def _main(rank, size, folder, function, args):
    torch.set_num_threads(1)
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(size))
    value = error = None
    try:
        dist.init_process_group(
            'gloo', init_method=f'file://{folder}/store', rank=rank, world_size=size, timeout=timedelta(seconds=TIMEOUT)
        )
        value = function(*args)
        dist.barrier()
    except BaseException:
        error = traceback.format_exc()
    torch.save((value, error), f'{folder}/{rank}')
    os._exit(0 if error is None else 1)


class Forked:
    """A process with the imports of this one, its output in a file."""

    def __init__(self, function, args):
        self._output = tempfile.TemporaryFile('w+')
        self._process = multiprocessing.get_context('fork').Process(target=self._main, args=(function, args))
        self._process.start()

    def _main(self, function, args):
        os.setpgrp()  # so that its workers end with it
        torch.set_num_threads(1)
        for stream in (1, 2):
            os.dup2(self._output.fileno(), stream)
        sys.stdout = sys.stderr = open(1, 'w', buffering=1, closefd=False)  # noqa: SIM115  open as long as the process
        try:
            function(*args)
        except SystemExit as error:
            print(error, flush=True)
            os._exit(error.code if isinstance(error.code, int) else 1)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)

    @property
    def pid(self):
        return self._process.pid

    def wait(self, seconds=TIMEOUT):
        """The exit code, None while it runs."""
        self._process.join(seconds)
        return self._process.exitcode

    def kill(self):
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.join()

    def output(self):
        self._output.seek(0)
        return self._output.read()


def forked(function, *args):
    """Start a function in a process of its own."""
    return Forked(function, args)


def _launched(rank, size, port, function, args):
    os.environ.update(
        RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(size), MASTER_ADDR='127.0.0.1', MASTER_PORT=port
    )
    function(*args)


def launched(size, function, *args):
    """Start a function in several processes, each with the environment that torchrun would give it."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = str(free.getsockname()[1])
    return [forked(_launched, rank, size, port, function, args) for rank in range(size)]


def run_processes(size, function, *args):
    """What ``function(*args)`` returns in each of several processes; none outlives this."""
    context = multiprocessing.get_context('fork')
    with tempfile.TemporaryDirectory() as folder:
        processes = [context.Process(target=_main, args=(rank, size, folder, function, args)) for rank in range(size)]
        for process in processes:
            process.start()
        deadline = time.monotonic() + TIMEOUT
        while any(process.is_alive() for process in processes) and time.monotonic() < deadline:
            if any(process.exitcode not in (None, 0) for process in processes):
                break
            time.sleep(0.02)
        for process in processes:
            process.kill()
            process.join()
        results = []
        for rank in range(size):
            path = f'{folder}/{rank}'
            value, error = None, 'ended without a result'
            if os.path.exists(path):
                value, error = torch.load(path, weights_only=False)
            if error is not None and 'ended' not in error:
                raise AssertionError(f'process {rank}:\n{error}')
            results.append((value, error))
    assert all(error is None for _, error in results), results
    return [value for value, _ in results]
