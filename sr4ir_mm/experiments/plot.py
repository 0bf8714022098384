"""The plot of a table: the task metric, the differences and the image metrics of each protocol."""

import math
from pathlib import Path
from typing import Dict, Sequence

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from .image_metrics import axis_label, is_image_metric
from .tables import DIFFERENCE, Summary


def plot(summary: Summary, protocols: Sequence[str], titles: Dict[str, str], heading: str, path: Path) -> None:
    """Draw the metrics with their deviation over the seeds and, with a baseline, the differences with their intervals.

    Args:
        summary: What is drawn.
        protocols: Which of its rows.
        titles: Of the protocols.
        heading: What stands above.
        path: The picture.
    """
    names = [name for name in summary.columns if name in (summary.metric, DIFFERENCE) or is_image_metric(name)]
    figure = Figure(figsize=(1.5 + 3.2 * len(names), 1.2 + 0.32 * len(protocols)), layout='constrained')
    FigureCanvasAgg(figure)
    figure.suptitle(heading)
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False, sharey=True)[0], names):
        for place, protocol in enumerate(protocols):
            _draw_point(axes, place, summary, protocol, name)
        if name == DIFFERENCE:
            axes.axvline(0, color='black', linewidth=0.8)
            axes.set_xlabel(f'{summary.metric} − {titles[summary.baseline]} [95 %]')
        else:
            axes.set_xlabel(axis_label(name))
        axes.set_yticks(range(len(protocols)), [titles[protocol] for protocol in protocols])
        axes.set_ylim(len(protocols) - 0.4, -0.8)
        axes.margins(x=0.15)
        axes.grid(axis='x', alpha=0.3)
        axes.spines[['top', 'right']].set_visible(False)
    figure.savefig(path, dpi=150)


def _draw_point(axes: Axes, place: int, summary: Summary, protocol: str, name: str) -> None:
    """Draw a point, not a bar: neither decibels nor what matters of a metric starts at zero."""
    if name == DIFFERENCE:
        interval = summary.differences[protocol]
        mean, error, sign = interval.mean, (interval.mean - interval.low, interval.high - interval.mean), '+'
    else:
        mean, deviation = summary.figure(protocol, name)
        error, sign = (deviation, deviation), ''
    if not math.isfinite(mean):
        return
    xerr = None if math.isnan(error[0]) else [[error[0]], [error[1]]]
    axes.errorbar(mean, place, xerr=xerr, fmt='o', markersize=4, capsize=3, color='tab:blue')
    text = f'{mean:{sign}.{summary.digits[name]}f}'
    axes.annotate(text, (mean, place), (0, 5), textcoords='offset points', ha='center', fontsize=7)
