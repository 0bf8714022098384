"""The result of a test, as one table for people and one file for programs."""

import math
from pathlib import Path
from typing import Any, Dict, List, Mapping, Sequence, Tuple

from mmengine.config import Config

from sr4ir_mm.utils.files import write_json

from .image_metrics import IMAGE_METRICS, is_image_metric, metric_name


def ask_for_classes(cfg: Config) -> None:
    """Change the evaluator of a config so that it returns the numbers of each class too."""
    evaluators = cfg.test_evaluator if isinstance(cfg.test_evaluator, (list, tuple)) else [cfg.test_evaluator]
    added = []
    for metric in evaluators:
        name = metric['type'].split('.')[-1]
        if name == 'IoUMetric':
            metric['type'] = 'sr4ir_mm.PerClassIoUMetric'
        elif name == 'CocoMetric':
            metric['classwise'] = True
        elif name == 'Accuracy':
            added.append(dict(type='SingleLabelMetric', items=('precision', 'recall', 'f1-score'), average=None))
    cfg.test_evaluator = [*evaluators, *added]


def split_classes(metrics: Mapping[str, Any], classes: Sequence[str]) -> Tuple[dict, Dict[str, Dict[str, float]]]:
    """Tell numbers of the whole from those of a class.

    Args:
        metrics: What the evaluators return: ``IoU/<class>``, ``coco/<class>_precision`` and lists with a number for
            each class, ``single-label/precision_classwise``, are of classes.
        classes: Their names.

    Returns:
        The others, and for each class its numbers by their names.
    """
    whole: Dict[str, Any] = {}
    each: Dict[str, Dict[str, Any]] = {name: {} for name in classes}
    of_class = {f'coco/{name}_precision': (name, 'bbox_mAP') for name in classes}
    for key, value in metrics.items():
        metric, _, name = key.partition('/')
        if isinstance(value, (list, tuple)) and len(value) == len(classes):
            title = key.split('/')[-1].replace('_classwise', '')
            for name, one in zip(classes, value):
                each[name][title] = float(one)
        elif key in of_class:
            name, title = of_class[key]
            each[name][title] = float(value)
        elif metric in ('IoU', 'Acc', 'Dice', 'Fscore', 'Precision', 'Recall') and name in each:
            each[name][metric] = float(value)
        else:
            whole[key] = value
    return whole, {name: found for name, found in each.items() if found}


def test_table(metrics: Mapping[str, Any], each: Dict[str, Dict[str, float]]) -> str:
    """The table: task metrics, image metrics with their unit and direction, classes."""
    rows = [
        [name, _number(_or_nan(name, value)), str(IMAGE_METRICS[metric_name(name)]) if is_image_metric(name) else '']
        for name, value in sorted(metrics.items(), key=lambda item: is_image_metric(item[0]))
    ]
    text = _table(['metric', 'value', ''], rows)
    if each:
        columns = list(dict.fromkeys(name for found in each.values() for name in found))
        rows = [[name, *(_number(found.get(column, math.nan)) for column in columns)] for name, found in each.items()]
        text += '\n' + _table(['class', *columns], rows)
    return text


def _or_nan(name: str, value):
    """COCO's −1 says that there is nothing to measure, objects of a size for example."""
    return math.nan if name.startswith('coco/') and value == -1 else value


def _number(value) -> str:
    if not isinstance(value, (int, float)):
        return str(value)
    if not math.isfinite(value):
        return '–' if math.isnan(value) else '∞'
    return f'{value:.4g}' if abs(value) < 1 else f'{value:.2f}'


def _table(titles: List[str], rows: List[List[str]]) -> str:
    widths = [max(len(row[column]) for row in [titles, *rows]) for column in range(len(titles))]
    lines = [[*titles], ['-' * width for width in widths], *rows]
    return ''.join('| ' + ' | '.join(cell.ljust(width) for cell, width in zip(line, widths)) + ' |\n' for line in lines)


def report_test(metrics: Mapping[str, Any], classes: Sequence[str], config: str, checkpoint: str, path: Path) -> None:
    """Print the table and write everything as JSON; null where there is no finite number, which JSON lacks."""
    whole, each = split_classes(metrics, classes)
    print(f'\n{test_table(whole, each)}\nWritten to {path}', flush=True)
    plain = {name: _plain(found) for name, found in each.items()}
    write_json(path, dict(config=config, checkpoint=checkpoint, metrics=_plain(whole), classes=plain))


def _plain(metrics: Mapping[str, Any]) -> Dict[str, Any]:
    numbers = {key: float(value) if hasattr(value, '__float__') else value for key, value in metrics.items()}
    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in numbers.items()
    }
