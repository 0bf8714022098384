"""Show how far an experiment is: bars on a terminal, elsewhere a line where a run starts and ends."""

from datetime import timedelta

from rich.console import Console
from rich.progress import Progress as Bars

from .runs import Run


class Progress:
    """The present run and the time that all runs take; to be used in a ``with`` statement.

    Args:
        total: How many runs there are.
        done: How many of them were finished before.
    """

    def __init__(self, total: int, done: int) -> None:
        self._total, self._done = total, done
        console = Console()
        # the time left comes from all of the run, not from the last seconds: iterations, tests and loading differ
        self._bars = Bars(console=console, transient=True, disable=not console.is_terminal, speed_estimate_period=1e9)
        self._all = self._bars.add_task('all', total=total, completed=done)
        self._present = self._bars.add_task('', visible=False)

    def __enter__(self) -> 'Progress':
        self._bars.start()
        return self

    def __exit__(self, *error) -> None:
        self._bars.stop()

    def start(self, run: Run) -> None:
        self._run = run
        self._bars.reset(self._present, total=None, description=run.name, visible=True)
        self._say('starts')

    def update(self) -> None:
        """Look at what the present run has recorded."""
        record = self._run.progress()
        done, total = record.get('iter', 0), record.get('max_iters')
        self._bars.update(self._present, completed=done, total=total)
        self._bars.update(self._all, completed=self._done + (done / total if total else 0))

    def end(self, state: str) -> None:
        self._bars.update(self._all, completed=self._done + 1)
        elapsed, left = self._bars.tasks[self._present].elapsed, self._bars.tasks[self._all].time_remaining
        self._say(f'{state} after {_clock(elapsed or 0)}' + (f'; all: {_clock(left)} left' if left else ''))
        self._done += 1

    def _say(self, text: str) -> None:
        line = f'[{self._done + 1}/{self._total}] {self._run.name} {text}'
        self._bars.console.print(line, markup=False, highlight=False, soft_wrap=True)


def _clock(seconds: float) -> str:
    return str(timedelta(seconds=int(seconds)))
