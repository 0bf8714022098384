"""One table and one plot of several runs of several protocols."""
import csv
import math
import statistics
from pathlib import Path
from typing import Dict, List, Optional, Sequence

from .errors import check_choice

#: the figure of a task that papers report, where a metric computes several
MAIN_METRICS = ('mIoU', 'coco/bbox_mAP', 'pascal_voc/mAP', 'accuracy/top1')
RESTORATION_METRICS = ('PSNR', 'SSIM', 'LPIPS')


def main_metric(results: Sequence[dict], wanted: Optional[str] = None) -> Optional[str]:
    """The name of the task metric that is compared: the one wanted, else the usual one, else the first.

    Raises:
        ConfigError: No run has the metric wanted.
    """
    names = list(dict.fromkeys(name for result in results for name in result['metrics']))
    if wanted is not None:
        return check_choice(wanted, names, '--metric')
    task = [name for name in names if name.split('/')[-1] not in RESTORATION_METRICS]
    return next((name for name in MAIN_METRICS if name in task), task[0] if task else None)


def _columns(results: Sequence[dict], metric: Optional[str]) -> Dict[str, callable]:
    """What each column is called and where its value is in a result."""
    names = list(dict.fromkeys(name for result in results for name in result['metrics']))
    shown = [metric] if metric else []
    shown += [name for name in names if name.split('/')[-1] in RESTORATION_METRICS and name != metric]
    # a test alone has no costs
    kinds = sorted({result['memory_kind'] for result in results if 'memory_kind' in result})
    memory = f'peak memory ({"/".join(kinds)}, MiB)'
    columns = {name: lambda result, name=name: float(result['metrics'].get(name, 'nan')) for name in shown}
    costs = dict(seconds='seconds', **{memory: 'peak_memory'}) if kinds else {}
    return dict(columns, **{
        name: lambda result, key=key: result.get(key, math.nan) for name, key in costs.items()})


def summarize(results: Sequence[dict], order: Sequence[str], metric: Optional[str]) -> List[dict]:
    """One row for each protocol: ``protocol``, ``seeds`` and, for each column, (mean, deviation).

    The deviation is that of a sample; one seed has none.
    """
    rows = []
    for name in order:
        runs = [result for result in results if result['protocol'] == name]
        row = dict(protocol=name, seeds=sorted(run['seed'] for run in runs))
        for column, get in _columns(results, metric).items():
            values = [value for value in map(get, runs) if not math.isnan(value)]
            mean = sum(values) / len(values) if values else math.nan
            finite = len(values) > 1 and math.isfinite(mean)
            row[column] = (mean, statistics.stdev(values) if finite else math.nan)
        rows.append(row)
    return rows


def _cell(mean: float, deviation: float) -> str:
    if math.isnan(mean):
        return '–'
    if math.isinf(mean):
        return '∞'
    digits = 0 if abs(mean) >= 100 else 2
    return f'{mean:.{digits}f}' + ('' if math.isnan(deviation) else f' ± {deviation:.{digits}f}')


def markdown(rows: Sequence[dict], titles: Dict[str, str]) -> str:
    """The table for people."""
    columns = [key for key in rows[0] if key not in ('protocol', 'seeds')]
    lines = ['| protocol | ' + ' | '.join(columns) + ' | seeds |', '|' + '---|' * (len(columns) + 2)]
    for row in rows:
        cells = [titles[row['protocol']], *(_cell(*row[column]) for column in columns)]
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


def plot(rows: Sequence[dict], titles: Dict[str, str], metric: Optional[str], heading: str, path: Path) -> None:
    """The task metric and the restoration metrics of each protocol, with the deviation over the seeds."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    names = [key for key in rows[0] if key == metric or key.split('/')[-1] in RESTORATION_METRICS]
    figure = Figure(figsize=(max(4.5, 0.8 * len(rows)) * len(names), 3.6), layout='constrained')
    FigureCanvasAgg(figure)
    figure.suptitle(heading)
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names):
        finite = [row for row in rows if math.isfinite(row[name][0])]
        labels = [titles[row['protocol']] for row in finite]
        means = [row[name][0] for row in finite]
        deviations = [0 if math.isnan(row[name][1]) else row[name][1] for row in finite]
        if name == metric:
            axes.bar(labels, means, color='tab:blue', alpha=0.7)
        # decibels have no zero that a bar could start from: points
        axes.errorbar(labels, means, yerr=deviations, fmt='o', markersize=4, capsize=4, color='black')
        for index, (mean, deviation) in enumerate(zip(means, deviations)):
            axes.annotate(f'{mean:.2f}', (index, mean + deviation), (0, 5), textcoords='offset points', ha='center',
                          fontsize=8)
        axes.set_ylabel('PSNR (dB)' if name == 'PSNR' else name)
        axes.set_xlim(-0.6, len(finite) - 0.4)
        axes.margins(y=0.15)
        axes.spines[['top', 'right']].set_visible(False)
    figure.savefig(path, dpi=150)
