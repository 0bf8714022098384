"""Stop a training on request, SIGTERM or SIGUSR1, so that another job can go on from its checkpoint."""

import os
import signal
import threading
from contextlib import suppress
from datetime import timedelta
from typing import Callable, NoReturn, Optional

import torch
from mmengine.dist import get_rank, get_world_size
from torch import distributed as torch_dist
from torch.utils.data import DataLoader

#: Exit code of a training that was asked to stop and has written a checkpoint: EX_TEMPFAIL of sysexits.h, "try again".
EXIT_CODE = 75
SIGNALS = (signal.SIGTERM, signal.SIGUSR1)


class StopRequest:
    """Remember a signal until the end of an iteration, and let all processes stop after the same one.

    A signal may reach one process earlier than the others, or only one of them. So each iteration begins with an
    all-reduce of one byte between CPUs, over gloo. It runs beside the iteration and is waited for at its end; a GPU is
    not waited for.
    """

    def __init__(self) -> None:
        #: name of the signal that this process has received
        self.signal: Optional[str] = None
        self.listens = False
        self._before: dict = {}
        self._group = self._work = self._flag = None

    def listen(self, timeout: float = 1800) -> None:
        """Take the two signals over. Outside the main thread, where Python does not allow it, they stay as they are.

        Args:
            timeout: Seconds that a process waits for the others.
        """
        self.listens = True
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in SIGNALS}
        if get_world_size() > 1:
            self._group = torch_dist.new_group(backend='gloo', timeout=timedelta(seconds=timeout))

    def close(self) -> None:
        """Give the signals back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before, self.listens = {}, False

    def _note(self, number: int, frame) -> None:
        self.signal = self.signal or signal.Signals(number).name

    def share(self) -> None:
        """Tell the other processes, at the beginning of an iteration, whether this one is asked to stop."""
        if self._group is not None:
            self._flag = torch.tensor([self.signal is not None], dtype=torch.uint8)
            self._work = torch_dist.all_reduce(self._flag, torch_dist.ReduceOp.MAX, self._group, async_op=True)

    def agreed(self) -> bool:
        """Return whether any process was asked when :meth:`share` was called; alone, whether this one is asked now."""
        if self._group is None:
            return self.signal is not None
        self._work.wait()
        return bool(self._flag)

    def leave(self) -> NoReturn:
        """End all processes once the first one has written the checkpoint.

        The first process ends last and with :data:`EXIT_CODE`, the others with 0: a launcher that sees a bad exit code
        kills the processes that are left, and then reports that instead.
        """
        if self._group is not None:
            torch_dist.barrier(self._group)
            if get_rank() > 0:
                raise SystemExit(0)
            for rank in range(1, get_world_size()):
                with suppress(RuntimeError):  # the connection closes when that process has ended
                    torch_dist.recv(torch.zeros(1), rank, self._group)
        raise SystemExit(EXIT_CODE)


class _WorkerInit:
    """Start a process that loads data, and keep it alive while its training writes a checkpoint."""

    def __init__(self, init: Optional[Callable]) -> None:
        self.init = init

    def __call__(self, worker: int) -> None:
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        # a thread takes SIGTERM, because a handler does not learn who has sent it
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        threading.Thread(target=_end_with_parent, daemon=True).start()
        if self.init is not None:
            self.init(worker)


def _end_with_parent() -> None:
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != os.getppid():
        pass
    os._exit(0)


def spare_workers(dataloader: DataLoader) -> None:
    """Let the workers of a loader ignore stop signals, unless the training itself ends them.

    Slurm signals all processes of a job. A worker that dies in an iteration would end it before its checkpoint.
    """
    if hasattr(signal, 'sigwaitinfo'):  # not on macOS
        dataloader.worker_init_fn = _WorkerInit(dataloader.worker_init_fn)
