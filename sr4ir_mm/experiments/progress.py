"""Show how far an experiment is: bars on a terminal, elsewhere a line where a run starts and ends."""

import time
from datetime import timedelta
from typing import Optional

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from .runs import Run

#: over how many seconds the speed is measured: all, as runs differ
_ALL = 1e9


class Progress:
    """The present run and the time that all runs take; to be used in a ``with`` statement.

    Args:
        total: How many runs there are.
        done: How many of them were finished before.
    """

    def __init__(self, total: int, done: int) -> None:
        self._total = total
        self._done = done
        console = Console()
        self._bars = Bars(
            TextColumn('{task.description}', markup=False),
            BarColumn(),
            TextColumn('{task.percentage:.0f} %'),
            TimeRemainingColumn(elapsed_when_finished=True),
            console=console,
            transient=True,
            disable=not console.is_terminal,
            speed_estimate_period=_ALL,
        )
        self._all = self._bars.add_task('all', total=total, completed=done)
        self._present = self._bars.add_task('', visible=False)

    def __enter__(self) -> 'Progress':
        self._bars.start()
        return self

    def __exit__(self, *error) -> None:
        self._bars.stop()

    def start(self, run: Run) -> None:
        self._run = run
        self._started = time.monotonic()
        self._bars.reset(self._present, total=None, description=run.name, visible=True)
        self._say(f'{run.name} starts')

    def update(self) -> None:
        """Look at what the present run has recorded."""
        record = self._run.progress()
        done, total = record.get('iter', 0), record.get('max_iters')
        self._bars.update(self._present, completed=done, total=total)
        self._bars.update(self._all, completed=self._done + (done / total if total else 0))

    def end(self, state: str) -> None:
        elapsed = timedelta(seconds=int(time.monotonic() - self._started))
        self._bars.update(self._all, completed=self._done + 1)
        left = self._left()
        self._say(f'{self._run.name} {state} after {elapsed}' + (f'; all: {left} left' if left else ''))
        self._done += 1

    def _left(self) -> Optional[timedelta]:
        seconds = self._bars.tasks[self._all].time_remaining
        return timedelta(seconds=int(seconds)) if seconds else None

    def _say(self, text: str) -> None:
        self._bars.console.print(
            f'[{self._done + 1}/{self._total}] {text}', markup=False, highlight=False, soft_wrap=True
        )
