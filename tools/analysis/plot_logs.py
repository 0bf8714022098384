"""Curves of one training or of several: ``python tools/analysis/plot_logs.py WORK_DIR [WORK_DIR …] --keys PSNR mIoU``.

Reads the scalars.json that MMEngine writes below each work dir; runs that were resumed are joined.
"""

import argparse
import json
import math
from pathlib import Path
from typing import Dict, List, Tuple

from sr4ir_mm.errors import ConfigError, check_choice, run_tool
from sr4ir_mm.experiments.image_metrics import axis_label

#: what is logged, but is no curve that one looks for
_ASIDE = ('time', 'data_time', 'iter', 'epoch', 'step', 'memory')

Curve = Dict[int, float]


def parse_args(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Draw the curves of trainings')
    parser.add_argument('runs', nargs='+', metavar='WORK_DIR', help='work dirs of trainings, or scalars.json files')
    parser.add_argument('--keys', nargs='+', help='what to draw; default: every loss and metric')
    parser.add_argument('--labels', nargs='+', help='names of the runs; default: those of their folders')
    parser.add_argument(
        '--smooth', type=int, default=1, help='number of entries of a loss to average; default: %(default)s'
    )
    parser.add_argument('--out', default='curves.png', help='the picture: png, pdf or svg; default: %(default)s')
    return parser.parse_args(argv)


def read_run(path: Path) -> Dict[str, Curve]:
    """The curves of a run by their names: value by iteration (metrics: by what they were logged with)."""
    files = [path] if path.is_file() else sorted(path.rglob('scalars.json'))
    if not files:
        raise ConfigError(f'{path} has no scalars.json, the log that a training writes.')
    curves, iteration = {}, 0
    for file in files:  # named by the time: what was run again replaces what it was before
        for line in file.read_text().splitlines():
            try:
                entry = json.loads(line)
            except ValueError:  # cut off, where a training was killed
                continue
            # a validation is logged with its epoch; it stands behind the iterations logged before
            iteration = entry.get('iter', iteration)
            for key, value in entry.items():
                if key not in _ASIDE and isinstance(value, (int, float)):
                    curves.setdefault(key, {})[iteration] = float(value)
    return curves


def is_empty(key: str, runs: Dict[str, Dict[str, Curve]]) -> bool:
    """Whether a metric is −1 throughout: what COCO's evaluation returns for sizes that no object has."""
    return all(value == -1 for curves in runs.values() for value in curves.get(key, {}).values())


def smooth(curve: Curve, window: int) -> Tuple[List[int], List[float]]:
    """Iterations, and means over the last entries."""
    steps = sorted(curve)
    values = [curve[step] for step in steps]
    means = [
        sum(values[max(0, index - window + 1) : index + 1]) / len(values[max(0, index - window + 1) : index + 1])
        for index in range(len(values))
    ]
    return steps, means


def draw(runs: Dict[str, Dict[str, Curve]], keys: List[str], window: int, path: Path) -> None:
    """One plot for each key, one line for each run."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = min(3, len(keys))
    rows = -(-len(keys) // columns)
    figure = Figure(figsize=(4.2 * columns, 2.9 * rows + 0.4), layout='constrained')
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False).flatten()
    last = max(max(curves[key]) for curves in runs.values() for key in keys if key in curves)
    for plot, key in zip(axes, keys):
        is_loss = 'loss' in key
        for index, (name, curves) in enumerate(runs.items()):
            if key in curves:
                steps, values = smooth(curves[key], window if is_loss else 1)
                finite = [(step, value) for step, value in zip(steps, values) if math.isfinite(value)]
                plot.plot(
                    *zip(*finite) if finite else ((), ()),
                    label=name,
                    color=f'C{index}',
                    linewidth=1.4,
                    marker=None if is_loss else 'o',
                    markersize=4,
                )
                if len(finite) == 1:
                    plot.annotate(
                        f'{finite[0][1]:.4g}',
                        finite[0],
                        (-6, 0),
                        textcoords='offset points',
                        ha='right',
                        va='center',
                        fontsize=8,
                        color=f'C{index}',
                    )
        plot.set_xlim(0, last * 1.04)  # the same everywhere
        plot.margins(y=0.15)
        plot.set_title(axis_label(key), fontsize=10)
        plot.set_xlabel('iteration', fontsize=8)
        plot.tick_params(labelsize=8)
        plot.grid(alpha=0.25)
        plot.spines[['top', 'right']].set_visible(False)
        if key.endswith('lr'):
            plot.set_yscale('log')
    for plot in axes[len(keys) :]:
        plot.set_visible(False)
    if len(runs) > 1:
        handles = {label: handle for plot in axes for handle, label in zip(*plot.get_legend_handles_labels())}
        figure.legend(handles.values(), handles.keys(), loc='outside upper center', ncols=min(4, len(runs)), fontsize=9)
    figure.savefig(path, dpi=140)


def main(argv=None) -> None:
    args = parse_args(argv)
    labels = args.labels or [Path(run).resolve().name for run in args.runs]
    if len(labels) != len(args.runs) or len(set(labels)) != len(labels):
        raise ConfigError(f'--labels are {labels}; give each of the {len(args.runs)} runs its own.')
    if args.smooth < 1:
        raise ConfigError(f'--smooth is {args.smooth}; allowed: a whole number from 1.')
    runs = {label: read_run(Path(run)) for label, run in zip(labels, args.runs)}
    found = list(dict.fromkeys(key for curves in runs.values() for key in curves))
    keys = (
        [check_choice(key, found, '--keys') for key in args.keys]
        if args.keys
        else [key for key in found if not key.endswith('lr') and key != 'loss' and not is_empty(key, runs)]
    )
    if not keys:
        raise ConfigError(f'Nothing is logged in {", ".join(args.runs)} that could be drawn.')
    draw(runs, keys, args.smooth, Path(args.out))
    print(f'{len(keys)} curves of {len(runs)} runs are in {args.out}.')


if __name__ == '__main__':
    run_tool(main)
