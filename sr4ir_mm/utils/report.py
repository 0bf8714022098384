"""One table and one plot of several runs of several protocols."""
import csv
import math
import statistics
from itertools import product
from pathlib import Path
from typing import Dict, Iterable, List, Optional, Sequence, Tuple

from .errors import check_choice
from .image_metrics import axis_label, is_image_metric

#: the figure of a task that papers report, where a metric computes several
MAIN_METRICS = ('mIoU', 'coco/bbox_mAP', 'pascal_voc/mAP', 'accuracy/top1')
DIFFERENCE = 'difference'


def main_metric(results: Sequence[dict], wanted: Optional[str] = None) -> Optional[str]:
    """The name of the task metric that is compared: the one wanted, else the usual one, else the first.

    Raises:
        ConfigError: No run has the metric wanted.
    """
    names = list(dict.fromkeys(name for result in results for name in result['metrics']))
    if wanted is not None:
        return check_choice(wanted, names, '--metric')
    task = [name for name in names if not is_image_metric(name)]
    return next((name for name in MAIN_METRICS if name in task), task[0] if task else None)


def differences(results: Dict[str, Sequence[dict]],
                pairs: Sequence[Tuple[str, str]],
                titles: Dict[str, str],
                metrics: str = 'metrics') -> str:
    """A table of how much better the second protocol of each pair is, seed by seed, with a column for each task.

    A cell has the mean of the differences in the task metric and its standard error, bold where the mean is at least
    twice that above zero, and says how many seeds it has where others of the task have more. Pairs that no task has are
    left out.

    Args:
        results: What finished runs have written, by the title of their task.
        pairs: Two protocols each.
        titles: Of the protocols.
        metrics: Where a result has its figures: ``'metrics'`` of test images, ``'val_metrics'`` of validation images.
    """
    names = {task: main_metric(runs) for task, runs in results.items()}

    def of(task):
        return lambda run: run.get(metrics, {}).get(names[task], math.nan)

    pairs = [tuple(pair) for pair in pairs]
    cells = {(task, pair): _differences(results[task], of(task), *pair) for task, pair in product(results, pairs)}
    digits = {task: _places(map(of(task), runs)) for task, runs in results.items()}
    most = {task: max(len(cells[task, pair]) for pair in pairs) for task in results}

    def text(task, pair):
        mean, error = _mean_and_error(cells[task, pair])
        cell = _cell(mean, error, digits[task], sign='+')
        seeds = len(cells[task, pair])
        count = f' ({seeds} seed{"s" * (seeds > 1)})' if 0 < seeds < most[task] else ''
        return (f'**{cell}**' if mean >= 2 * error else cell) + count

    lines = ['| | ' + ' | '.join(f'{task} ({names[task]})' for task in results) + ' |', '|' + '---|' * (len(results) + 1)]
    for pair in pairs:
        if any(cells[task, pair] for task in results):
            row = [f'{titles[pair[0]]} < {titles[pair[1]]}', *(text(task, pair) for task in results)]
            lines.append('| ' + ' | '.join(row) + ' |')
    return '\n'.join(lines) + '\n'


def _columns(results: Sequence[dict], metric: Optional[str]) -> Dict[str, callable]:
    """What each column is called and where its value is in a result."""
    names = list(dict.fromkeys(name for result in results for name in result['metrics']))
    shown = [metric] if metric else []
    shown += [name for name in names if is_image_metric(name) and name != metric]
    # a test alone has no costs
    kinds = sorted({result['memory_kind'] for result in results if 'memory_kind' in result})
    memory = f'peak memory ({"/".join(kinds)}, MiB)'
    columns = {name: lambda result, name=name: float(result['metrics'].get(name, 'nan')) for name in shown}
    costs = dict(seconds='seconds', **{memory: 'peak_memory'}) if kinds else {}
    return dict(columns, **{
        name: lambda result, key=key: result.get(key, math.nan) for name, key in costs.items()})


def summarize(results: Sequence[dict],
              order: Sequence[str],
              metric: Optional[str],
              baseline: Optional[str] = None) -> List[dict]:
    """One row for each protocol: ``protocol``, ``seeds`` and, for each column, (mean, deviation).

    The deviation is that of a sample; one seed has none.

    Args:
        results: What finished runs have written.
        order: The protocols, as the table has them.
        metric: Name of the task metric.
        baseline: A protocol. The column ``difference`` then has the mean of the differences to it, of runs with the same
            seed, and the standard error of that mean.
    """
    rows = []
    columns = _columns(results, metric)
    for name in order:
        runs = [result for result in results if result['protocol'] == name]
        row = dict(protocol=name, seeds=sorted(run['seed'] for run in runs))
        for column, get in columns.items():
            row[column] = _mean_and_deviation(map(get, runs))
            if column == metric and baseline is not None:
                row[DIFFERENCE] = _mean_and_error(_differences(results, get, baseline, name) if name != baseline else [])
        rows.append(row)
    return rows


def _differences(results: Sequence[dict], get: callable, first: str, second: str) -> List[float]:
    """By how much the second protocol is above the first, in each seed that both have."""
    values = {(run['protocol'], run['seed']): get(run) for run in results}
    pairs = [values[second, seed] - values[first, seed] for protocol, seed in values
             if protocol == second and (first, seed) in values]
    return [difference for difference in pairs if not math.isnan(difference)]


def _mean_and_error(values: Sequence[float]) -> Tuple[float, float]:
    mean, deviation = _mean_and_deviation(values)
    return mean, deviation / math.sqrt(max(len(values), 1))


def _mean_and_deviation(values: Iterable[float]) -> Tuple[float, float]:
    values = [value for value in values if not math.isnan(value)]
    mean = sum(values) / len(values) if values else math.nan
    finite = len(values) > 1 and math.isfinite(mean)
    return mean, statistics.stdev(values) if finite else math.nan


def _digits(rows: Sequence[dict]) -> Dict[str, int]:
    """How many digits behind the point the values of each column have; differences have those of what they differ in."""
    digits: Dict[str, int] = {}
    for column in rows[0]:
        if column == DIFFERENCE:
            digits[column] = list(digits.values())[-1]
        elif column not in ('protocol', 'seeds'):
            digits[column] = _places(row[column][0] for row in rows)
    return digits


def _places(values: Iterable[float]) -> int:
    """Digits behind the point: mAP and SSIM are fractions, PSNR and seconds are not."""
    return 3 if max((abs(value) for value in values if math.isfinite(value)), default=2) <= 1 else 2


def _cell(mean: float, deviation: float, digits: int, sign: str = '') -> str:
    if math.isnan(mean):
        return '–'
    if math.isinf(mean):
        return '∞'
    digits = 0 if abs(mean) >= 100 else digits
    return f'{mean:{sign}.{digits}f}' + ('' if math.isnan(deviation) else f' ± {deviation:.{digits}f}')


def markdown(rows: Sequence[dict], titles: Dict[str, str], baseline: Optional[str] = None) -> str:
    """The table for people."""
    digits = _digits(rows)
    columns = list(digits)
    heads = [f'− {titles[baseline]} (± standard error)' if column == DIFFERENCE else column for column in columns]
    lines = ['| protocol | ' + ' | '.join(heads) + ' | seeds |', '|' + '---|' * (len(columns) + 2)]
    for row in rows:
        cells = [titles[row['protocol']],
                 *(_cell(*row[column], digits[column], sign='+' if column == DIFFERENCE else '') for column in columns)]
        lines.append('| ' + ' | '.join([*cells, ', '.join(map(str, row['seeds'])) or '–']) + ' |')
    return '\n'.join(lines) + '\n'


def write_csv(rows: Sequence[dict], path: Path) -> None:
    """The table for programs: plain numbers, empty where there is none."""
    columns = [key for key in rows[0] if key not in ('protocol', 'seeds')]
    with path.open('w', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(['protocol', 'seeds', *(name for key in columns for name in (key, f'{key} deviation'))])
        for row in rows:
            values = ['' if math.isnan(value) else value for column in columns for value in row[column]]
            writer.writerow([row['protocol'], ' '.join(map(str, row['seeds'])), *values])


def plot(rows: Sequence[dict],
         titles: Dict[str, str],
         metric: Optional[str],
         heading: str,
         path: Path,
         baseline: Optional[str] = None) -> None:
    """The task metric and the image metrics of each protocol, with the deviation over the seeds.

    With a baseline the differences to it too, with their standard error.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    names = [key for key in rows[0] if key in (metric, DIFFERENCE) or is_image_metric(key)]
    digits = _digits(rows)
    figure = Figure(figsize=(1.5 + 3.2 * len(names), 1.2 + 0.32 * len(rows)), layout='constrained')
    FigureCanvasAgg(figure)
    figure.suptitle(heading)
    labels = [titles[row['protocol']] for row in rows]
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False, sharey=True)[0], names):
        for place, row in enumerate(rows):
            mean, deviation = row[name]
            if not math.isfinite(mean):
                continue
            # points, not bars: neither decibels nor what matters of a metric starts at zero
            axes.errorbar(mean, place, xerr=0 if math.isnan(deviation) else deviation, fmt='o', markersize=4, capsize=3,
                          color='tab:blue')
            text = f'{mean:{"+" if name == DIFFERENCE else ""}.{digits[name]}f}'
            axes.annotate(text, (mean, place), (0, 5), textcoords='offset points', ha='center', fontsize=7)
        if name == DIFFERENCE:
            axes.axvline(0, color='black', linewidth=0.8)
        axes.set_xlabel(f'{metric} − {titles.get(baseline)}' if name == DIFFERENCE else axis_label(name))
        axes.set_yticks(range(len(rows)), labels)
        axes.set_ylim(len(rows) - 0.4, -0.8)
        axes.margins(x=0.15)
        axes.grid(axis='x', alpha=0.3)
        axes.spines[['top', 'right']].set_visible(False)
    figure.savefig(path, dpi=150)
