"""One table and one plot of several runs of several protocols."""

import csv
import math
import statistics
from pathlib import Path
from typing import Callable, Dict, Iterable, List, Optional, Sequence, Tuple

from sr4ir_mm.errors import check_choice

from .image_metrics import axis_label, is_image_metric
from .intervals import Interval

#: the figure of a task that papers report, where a metric computes several
MAIN_METRICS = ('mIoU', 'coco/bbox_mAP', 'pascal_voc/mAP', 'accuracy/top1')
DIFFERENCE = 'difference'
#: what an interval is by, in words
METHODS = dict(bootstrap='bootstrap over images and seeds', t='paired t over seeds')


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
    return dict(columns, **{name: lambda result, key=key: result.get(key, math.nan) for name, key in costs.items()})


def summarize(
    results: Sequence[dict],
    order: Sequence[str],
    metric: Optional[str],
    baseline: Optional[str] = None,
    interval: Optional[Callable[[str, str], Interval]] = None,
) -> List[dict]:
    """One row for each protocol: ``protocol``, ``seeds`` and, for each column, (mean, deviation).

    The deviation is that of a sample; one seed has none.

    Args:
        results: What finished runs have written.
        order: The protocols, as the table has them.
        metric: Name of the task metric.
        baseline: A protocol. The column ``difference`` then has the mean of the differences to it, of runs with the same
            seed, with its interval.
        interval: Makes that of two protocols, see :meth:`sr4ir_mm.experiments.differences.Differences.interval`.
    """
    rows = []
    columns = _columns(results, metric)
    for name in order:
        runs = [result for result in results if result['protocol'] == name]
        row = dict(protocol=name, seeds=sorted(run['seed'] for run in runs))
        for column, get in columns.items():
            row[column] = _mean_and_deviation(map(get, runs))
            if column == metric and baseline is not None:
                row[DIFFERENCE] = interval(baseline, name) if name != baseline else Interval(math.nan)
        rows.append(row)
    return rows


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
            digits[column] = places(row[column][0] for row in rows)
    return digits


def places(values: Iterable[float]) -> int:
    """Digits behind the point: mAP and SSIM are fractions, PSNR and seconds are not."""
    return 3 if max((abs(value) for value in values if math.isfinite(value)), default=2) <= 1 else 2


def number(value: float, digits: int, sign: str = '') -> str:
    """Return a figure as tables have it: a dash where there is none, no digits behind the point from 100 on."""
    if not math.isfinite(value):
        return '–' if math.isnan(value) else '∞'
    return f'{value:{sign}.{0 if abs(value) >= 100 else digits}f}'


def _value_cell(mean: float, deviation: float, digits: int) -> str:
    digits = 0 if abs(mean) >= 100 else digits
    return number(mean, digits) + ('' if math.isnan(deviation) or math.isinf(mean) else f' ± {deviation:.{digits}f}')


def interval_text(interval: Interval, digits: int) -> str:
    """Return the mean with its sign and its interval."""
    text = number(interval.mean, digits, sign='+')
    if not math.isfinite(interval.low):
        return text
    return f'{text} [{number(interval.low, digits, sign="+")}, {number(interval.high, digits, sign="+")}]'


def describe(intervals: Iterable[Interval]) -> str:
    """Return the sentence that says what the intervals of a table are; empty where there are none."""
    used = {interval.method for interval in intervals}
    methods = [title for method, title in METHODS.items() if method in used]
    return f'Intervals of 95 %: {", elsewhere ".join(methods)}.' if methods else ''


def markdown(rows: Sequence[dict], titles: Dict[str, str], baseline: Optional[str] = None) -> str:
    """The table for people."""
    digits = _digits(rows)
    heads = [f'− {titles[baseline]} [95 %]' if column == DIFFERENCE else column for column in digits]
    lines = ['| protocol | ' + ' | '.join(heads) + ' | seeds |', '|' + '---|' * (len(heads) + 2)]
    for row in rows:
        cells = [
            interval_text(row[column], digits[column])
            if column == DIFFERENCE
            else _value_cell(*row[column], digits[column])
            for column in digits
        ]
        lines.append(
            '| ' + ' | '.join([titles[row['protocol']], *cells, ', '.join(map(str, row['seeds'])) or '–']) + ' |'
        )
    note = describe(row[DIFFERENCE] for row in rows if DIFFERENCE in row)
    return '\n'.join(lines) + '\n' + (f'\n{note}\n' if note else '')


def write_csv(rows: Sequence[dict], path: Path) -> None:
    """The table for programs: plain numbers, empty where there is none."""
    columns = [key for key in rows[0] if key not in ('protocol', 'seeds')]
    parts = {column: ('', ' low', ' high', ' p') if column == DIFFERENCE else ('', ' deviation') for column in columns}
    with path.open('w', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(['protocol', 'seeds', *(column + part for column in columns for part in parts[column])])
        for row in rows:
            values = [value for column in columns for value in row[column][: len(parts[column])]]
            writer.writerow(
                [
                    row['protocol'],
                    ' '.join(map(str, row['seeds'])),
                    *('' if math.isnan(value) else value for value in values),
                ]
            )


def plot(
    rows: Sequence[dict],
    titles: Dict[str, str],
    metric: Optional[str],
    heading: str,
    path: Path,
    baseline: Optional[str] = None,
) -> None:
    """The task metric and the image metrics of each protocol, with the deviation over the seeds.

    With a baseline the differences to it too, with their intervals.
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
            mean = row[name][0]
            if not math.isfinite(mean):
                continue
            if name == DIFFERENCE:
                error = [[mean - row[name].low], [row[name].high - mean]]
            else:
                error = [[row[name][1]]] * 2
            # points, not bars: neither decibels nor what matters of a metric starts at zero
            axes.errorbar(
                mean,
                place,
                xerr=None if math.isnan(error[0][0]) else error,
                fmt='o',
                markersize=4,
                capsize=3,
                color='tab:blue',
            )
            text = f'{mean:{"+" if name == DIFFERENCE else ""}.{digits[name]}f}'
            axes.annotate(text, (mean, place), (0, 5), textcoords='offset points', ha='center', fontsize=7)
        if name == DIFFERENCE:
            axes.axvline(0, color='black', linewidth=0.8)
        axes.set_xlabel(f'{metric} − {titles.get(baseline)} [95 %]' if name == DIFFERENCE else axis_label(name))
        axes.set_yticks(range(len(rows)), labels)
        axes.set_ylim(len(rows) - 0.4, -0.8)
        axes.margins(x=0.15)
        axes.grid(axis='x', alpha=0.3)
        axes.spines[['top', 'right']].set_visible(False)
    figure.savefig(path, dpi=150)
