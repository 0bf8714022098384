"""Tables of several runs of several protocols: means, deviations and differences, for people and for programs."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, Iterable, List, Optional, Sequence, Tuple

import pandas as pd

from sr4ir_mm.errors import check_choice

from .axes import point_text
from .image_metrics import is_image_metric
from .intervals import Interval
from .runs import at_point, points_of

#: the figure of a task that papers report, where a metric computes several
MAIN_METRICS = ('mIoU', 'coco/bbox_mAP', 'pascal_voc/mAP', 'accuracy/top1')
DIFFERENCE = 'difference'
#: what an interval is by, in words
METHODS = dict(bootstrap='bootstrap over images and seeds', t='paired t over seeds')


@dataclass(frozen=True)
class Summary:
    """The figures of one table, with a row for each protocol."""

    #: indexed by protocol, with columns (name, ``'mean'``) and (name, ``'std'``), the sample's; none of one seed
    values: pd.DataFrame
    #: of each protocol
    seeds: Dict[str, List[int]]
    #: of the task; empty where no run has one
    metric: str
    #: empty where nothing is compared with it
    baseline: str
    #: of each protocol to the baseline
    differences: Dict[str, Interval]

    def figure(self, protocol: str, column: str) -> Tuple[float, float]:
        """Return the mean of a protocol and its deviation; NaN where there is none."""
        row = self.values.loc[protocol]
        return float(row[column, 'mean']), float(row[column, 'std'])

    @property
    def columns(self) -> List[str]:
        """Names of the columns; differences follow the metric that they are of."""
        names = list(dict.fromkeys(self.values.columns.get_level_values(0)))
        return [*names[:1], DIFFERENCE, *names[1:]] if self.differences else names

    @property
    def digits(self) -> Dict[str, int]:
        """Digits after the point in each column; differences have those of what they differ in."""
        digits = {name: places(self.values[name, 'mean']) for name in self.columns if name != DIFFERENCE}
        return dict(digits, **{DIFFERENCE: digits[self.metric]}) if self.differences else digits


def main_metric(results: Sequence[dict], wanted: Optional[str] = None) -> Optional[str]:
    """Return the name of the task metric that is compared: the one wanted, else the usual one, else the first.

    Raises:
        ConfigError: No run has the metric wanted.
    """
    names = _metrics(results)
    if wanted is not None:
        return check_choice(wanted, names, '--metric')
    task = [name for name in names if not is_image_metric(name)]
    return next((name for name in MAIN_METRICS if name in task), task[0] if task else None)


def _metrics(results: Sequence[dict]) -> List[str]:
    return list(dict.fromkeys(name for result in results for name in result['metrics']))


def shown_metrics(results: Sequence[dict], metric: Optional[str]) -> List[str]:
    """Return the task metric, if any, and the image metrics."""
    images = [name for name in _metrics(results) if is_image_metric(name) and name != metric]
    return [metric, *images] if metric else images


def figures(results: Sequence[dict], metric: Optional[str]) -> pd.DataFrame:
    """Return what tables show of each run: ``protocol``, ``seed``, metrics and, if any was trained, costs."""
    frame = pd.DataFrame(results, columns=['protocol', 'seed'])
    for name in shown_metrics(results, metric):
        frame[name] = [float(result['metrics'].get(name, 'nan')) for result in results]
    kinds = sorted({result['memory_kind'] for result in results if 'memory_kind' in result})
    if kinds:
        frame['seconds'] = [result.get('seconds', math.nan) for result in results]
        memory = f'peak memory ({"/".join(kinds)}, MiB)'
        frame[memory] = [result.get('peak_memory', math.nan) for result in results]
    return frame


def summarize(
    results: Sequence[dict],
    order: Sequence[str],
    metric: Optional[str],
    baseline: Optional[str] = None,
    interval: Optional[Callable[[str, str], Interval]] = None,
) -> Summary:
    """Take means and deviations over the seeds of each protocol.

    Args:
        results: What finished runs have written.
        order: The protocols, as the table has them.
        metric: Name of the task metric.
        baseline: A protocol that differences are taken to, of runs with the same seed.
        interval: Makes that of two protocols, see :meth:`sr4ir_mm.experiments.differences.Differences.interval`.
    """
    frame = figures(results, metric)
    differences = {}
    if baseline is not None and interval is not None:
        differences = {name: interval(baseline, name) if name != baseline else Interval(math.nan) for name in order}
    return Summary(
        values=_by_protocol(frame, order),
        seeds={name: sorted(frame.seed[frame.protocol == name]) for name in order},
        metric=metric or '',
        baseline=baseline or '',
        differences=differences,
    )


def _by_protocol(frame: pd.DataFrame, order: Sequence[str]) -> pd.DataFrame:
    """Return mean and deviation of each column over the runs of each protocol; NaN where there are none."""
    # pandas' own mean of a group adds in another way, which rounds to another digit in one of the stored tables
    return frame.drop(columns='seed').groupby('protocol').agg([pd.Series.mean, 'std']).reindex(list(order))


def places(values: Iterable[float]) -> int:
    """Return the digits after the point: mAP and SSIM are fractions, PSNR and seconds are not."""
    return 3 if max((abs(value) for value in values if math.isfinite(value)), default=2) <= 1 else 2


def number(value: float, digits: int, sign: str = '') -> str:
    """Return a figure as tables have it: a dash where there is none, no digits after the point from 100 on."""
    if not math.isfinite(value):
        return '–' if math.isnan(value) else '∞'
    return f'{value:{sign}.{0 if abs(value) >= 100 else digits}f}'


def value_text(mean: float, deviation: float, digits: int) -> str:
    """Return a mean and its deviation, if it has one."""
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


def grid(heads: Sequence[str], rows: Iterable[Sequence[str]], note: str = '') -> str:
    """Return a table in Markdown, with a sentence after it."""
    head, *lines = ('| ' + ' | '.join(cells) + ' |' for cells in (heads, *rows))
    return '\n'.join([head, '|' + '---|' * len(heads), *lines, '']) + (f'\n{note}\n' if note else '')


def markdown(summary: Summary, titles: Dict[str, str]) -> str:
    """Return the table for people."""
    digits = summary.digits

    def cell(protocol: str, column: str) -> str:
        if column == DIFFERENCE:
            return interval_text(summary.differences[protocol], digits[column])
        return value_text(*summary.figure(protocol, column), digits[column])

    heads = [f'− {titles[summary.baseline]} [95 %]' if column == DIFFERENCE else column for column in summary.columns]
    rows = [
        [titles[name], *(cell(name, column) for column in summary.columns), ', '.join(map(str, seeds)) or '–']
        for name, seeds in summary.seeds.items()
    ]
    return grid(['protocol', *heads, 'seeds'], rows, describe(summary.differences.values()))


def write_csv(summary: Summary, path: Path) -> None:
    """Write the table for programs: plain numbers, empty where there is none."""
    table = pd.DataFrame(dict(seeds={name: ' '.join(map(str, seeds)) for name, seeds in summary.seeds.items()}))
    for column in summary.columns:
        if column == DIFFERENCE:
            for part, suffix in dict(mean='', low=' low', high=' high', p=' p').items():
                table[column + suffix] = {name: getattr(each, part) for name, each in summary.differences.items()}
        else:
            table[column] = summary.values[column, 'mean']
            table[f'{column} deviation'] = summary.values[column, 'std']
    table.to_csv(path, index_label='protocol')


def axes_table(results: Sequence[dict], order: Sequence[str], titles: Dict[str, str], metric: str) -> str:
    """Return one figure of each protocol at each point of the axes, mean and deviation over the seeds.

    Args:
        results: Of one task.
        order: The protocols, as the table has them; those without a result are left out.
        titles: Of the protocols.
        metric: Name of the figure, of the task or of the images.
    """
    digits = places(figures(results, metric)[metric])
    columns = {point: summarize(at_point(results, point), order, metric) for point in points_of(results)}
    rows = [
        [titles[name], *(value_text(*column.figure(name, metric), digits) for column in columns.values())]
        for name in order
        if any(result['protocol'] == name for result in results)
    ]
    return grid([metric, *map(point_text, columns)], rows)
