"""Differences between two protocols, seed by seed, with intervals and a correction for their number."""

import math
from functools import cache
from itertools import product
from pathlib import Path
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from sr4ir_mm.errors import ConfigError
from sr4ir_mm.evaluation.predictions import FILE_NAMES, Predictions

from .intervals import Interval, holm, image_weights, paired_t, sign_test, two_level
from .tables import describe, grid, interval_text, main_metric, places

#: below this p a difference is told from none
ALPHA = 0.05


class Differences:
    """Differences between protocols in one figure.

    Args:
        results: What finished runs have written; ``folder`` is where predictions of single images are, if any.
        metric: Name of the figure.
        where: ``'metrics'`` of test images or ``'val_metrics'`` of validation images.
        replicates: Samples of the images for the bootstrap; 0: always the paired t interval.
    """

    def __init__(
        self, results: Sequence[dict], metric: Optional[str], where: str = 'metrics', replicates: int = 1000
    ) -> None:
        self._runs = {(run['protocol'], run['seed']): run for run in results}
        self._metric = metric
        self._where = where
        self._replicates = replicates

    def value(self, protocol: str, seed: int) -> float:
        """Return the figure of a run; NaN where it has none."""
        return float(self._runs.get((protocol, seed), {}).get(self._where, {}).get(self._metric, math.nan))

    def values(self) -> List[float]:
        """Return the figure of each run."""
        return [self.value(*key) for key in self._runs]

    def by_seed(self, first: str, second: str) -> Dict[int, float]:
        """Return by how much the second protocol is above the first, for each seed that both have."""
        found = {
            seed: self.value(second, seed) - self.value(first, seed)
            for protocol, seed in self._runs
            if protocol == second
        }
        return {seed: difference for seed, difference in found.items() if not math.isnan(difference)}

    def interval(self, first: str, second: str) -> Interval:
        """Return the mean of the differences with its interval: by two levels where all runs have predictions."""
        found = self.by_seed(first, second)
        drawn = [self._samples(protocol, seed) for protocol, seed in product((second, first), found)]
        samples = [sample for sample in drawn if sample is not None]
        if len(found) < 2 or len(samples) < len(drawn) or any(images != samples[0][0] for images, _ in samples):
            return paired_t(list(found.values()))
        values = np.array([values for _, values in samples])
        return two_level(list(found.values()), (values[: len(found)] - values[len(found) :]).T)

    def _samples(self, protocol: str, seed: int) -> Optional[Tuple[List[str], np.ndarray]]:
        """Return the images of a run and its figure on each sample of them."""
        run = self._runs[protocol, seed]
        path = Path(run.get('folder', ''), FILE_NAMES[self._where])
        if not self._replicates or 'folder' not in run or not path.exists():
            return None
        images, whole, values = _figures(path, self._metric, self._replicates, path.stat().st_mtime_ns)
        rounding = 0.001 if str(self._metric).startswith('coco/') else 0.01
        if values is not None and abs(whole - self.value(protocol, seed)) > rounding:
            raise ConfigError(
                f'{path} gives {self._metric} {whole:.4g}, the result of its run '
                f'{self.value(protocol, seed):.4g}; delete the file or test the run again.'
            )
        return None if values is None else (images, values)


@cache
def _figures(path: Path, metric: str, replicates: int, changed: int) -> Tuple[List[str], float, Optional[np.ndarray]]:
    """Read a file of predictions once: its images, the figure on all of them and on each sample."""
    predictions = Predictions(path)
    whole = predictions.figure(metric)
    if whole is None:
        return predictions.images, math.nan, None
    return (
        predictions.images,
        float(whole[0]),
        predictions.figure(metric, _weights(len(predictions.images), replicates)),
    )


@cache
def _weights(images: int, replicates: int) -> np.ndarray:
    return image_weights(images, replicates)  # the same samples for all runs, which pairs them


def difference_table(
    results: Mapping[str, Sequence[dict]],
    pairs: Sequence[Tuple[str, str]],
    titles: Dict[str, str],
    metrics: str = 'metrics',
    replicates: int = 1000,
) -> str:
    """Make a table of how much better the second protocol of each pair is, with a column for each task.

    A cell has the mean of the differences in the task metric, seed by seed, and its 95 % interval. For either sign,
    ``*`` marks an interval without zero, and bold what is left of these after Holm's correction for the number of
    cells. A cell says how many seeds it has where others of its task have more. The last two columns count seeds of all
    tasks in which the second is above, and have the p of a sign test, corrected for the number of rows. Pairs that no
    task has are left out.

    Args:
        results: What finished runs have written, by the title of their task.
        pairs: Two protocols each.
        titles: Of the protocols.
        metrics: Where a result has its figures: ``'metrics'`` of test images, ``'val_metrics'`` of validation images.
        replicates: See :class:`Differences`.
    """
    names = {task: main_metric(runs) for task, runs in results.items()}
    tables = {task: Differences(runs, names[task], metrics, replicates) for task, runs in results.items()}
    pairs = [(one, other) for one, other in pairs if any(table.by_seed(one, other) for table in tables.values())]
    cells = {(task, pair): tables[task].interval(*pair) for pair, task in product(pairs, tables)}
    corrected = dict(zip(cells, holm([interval.p for interval in cells.values()])))
    digits = {task: places(table.values()) for task, table in tables.items()}
    counts = {key: len(tables[key[0]].by_seed(*key[1])) for key in cells}
    most = {task: max((counts[task, pair] for pair in pairs), default=0) for task in tables}

    def text(task, pair):
        key = task, pair
        cell = interval_text(cells[key], digits[task])
        cell = f'**{cell}**' if corrected[key] < ALPHA else f'{cell} *' if cells[key].p < ALPHA else cell
        return cell + (f' ({counts[key]} seed{"s" * (counts[key] > 1)})' if 0 < counts[key] < most[task] else '')

    signs = [[value for table in tables.values() for value in table.by_seed(*pair).values()] for pair in pairs]
    ps = holm([sign_test(values) for values in signs])
    rows = []
    for pair, values, p in zip(pairs, signs, ps):
        p_text = '–' if math.isnan(p) else f'{p:.2g}'
        rows.append(
            [
                f'{titles[pair[0]]} < {titles[pair[1]]}',
                *(text(task, pair) for task in tables),
                f'{sum(value > 0 for value in values)} of {len(values)}',
                f'**{p_text}**' if p < ALPHA else p_text,
            ]
        )
    heads = ['comparison', *(f'{task} ({names[task]})' for task in tables), 'seeds above', 'p, corrected']
    return grid(heads, rows, describe(cells.values()))
