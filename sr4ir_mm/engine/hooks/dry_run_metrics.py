"""The metrics of a validation, tried with one sample, and the names of metrics that hooks and schedules wait for."""

import os.path as osp
import tempfile
from copy import copy
from typing import Iterator, List, Optional, Sequence, Tuple

from mmengine.evaluator import BaseMetric
from mmengine.hooks import CheckpointHook, EarlyStoppingHook
from mmengine.runner import Runner
from torch import Tensor

from sr4ir_mm.errors import ConfigError, check_choice, some

from .dry_run_checks import told

#: where metrics of the host libraries have paths of what they write: folders, or files and beginnings of their names
_OUTPUTS = ('output_dir', 'outfile_prefix', 'out_file_path')


def try_metrics(metrics: Sequence[BaseMetric], data: dict, samples: Sequence) -> Optional[List[str]]:
    """Evaluate one batch by copies of the metrics.

    Args:
        metrics: Of the evaluator; they stay as they are.
        data: What the dataloader has collated.
        samples: What the model predicted for it.

    Returns:
        The names of all figures; None where one sample does not tell them: a metric evaluates in a way of its own or
        returns nothing, or figures are named after the benchmark that a sample belongs to.

    Raises:
        ConfigError: A metric fails: which one, and why.
    """
    plain = [_with_an_instance(sample.to_dict() if hasattr(sample, 'to_dict') else sample) for sample in samples]
    names: List[str] = []
    complete = True
    with tempfile.TemporaryDirectory() as folder:
        for metric in metrics:
            found = _try_metric(metric, data, plain, folder)
            complete &= bool(found)
            for name in found:
                if name in names:
                    raise ConfigError(
                        f"Two metrics of val_evaluator return '{name}'; "
                        f'give {type(metric).__name__} a `prefix` of its own.'
                    )
                names.append(name)
    return names if complete and not any('benchmark' in sample for sample in plain) else None


def _try_metric(metric: BaseMetric, data: dict, samples: Sequence[dict], folder: str) -> List[str]:
    kind, probe = type(metric).__name__, copy(metric)
    probe.results = []
    for name in _OUTPUTS:
        if isinstance(getattr(probe, name, None), str):
            setattr(probe, name, folder if name.endswith('_dir') else osp.join(folder, 'tried.pkl'))
    if getattr(probe, 'img_ids', 0) is None:  # mmdet's would look for all images of the data set
        probe.img_ids = [sample['img_id'] for sample in samples if 'img_id' in sample]
    with told('validation', lambda: f'in the metric {kind} of val_evaluator'):
        try:
            probe.process(data, samples)
        except KeyError as error:
            name = error.args[0] if error.args else None
            if not isinstance(name, str) or name in samples[0]:
                raise
            raise ConfigError(
                f'The metric {kind} of val_evaluator reads `{name}`, which the samples do not have (they have '
                f'{some(samples[0], 20)}); append what loads it to the pipeline of val_dataloader.dataset, or, where '
                'it describes the image, name it in meta_keys of the packing transform.'
            ) from error
        if type(metric).evaluate is not BaseMetric.evaluate:
            return []
        prefix = f'{metric.prefix}/' if metric.prefix else ''
        return [prefix + name for name in probe.compute_metrics(probe.results) or ()]


def _with_an_instance(sample: dict) -> dict:
    """Let an untrained detector find something: mmdet's metric returns nothing if nothing is found at all."""
    found = sample.get('pred_instances')
    if not found or not all(isinstance(value, Tensor) and not len(value) for value in found.values()):
        return sample
    return dict(sample, pred_instances={name: value.new_zeros(1, *value.shape[1:]) for name, value in found.items()})


def check_names(runner: Runner, names: List[str], classes: Sequence[str]) -> None:
    """Compare the metrics that the config waits for with those that the evaluator returns.

    Args:
        runner: The runner.
        names: What was returned for one sample.
        classes: Of the data set. Figures of single classes pass: the sample may not have had them.

    Raises:
        ConfigError: A name that does not exist, and those that do.
    """
    for key, name in _wanted(runner):
        if not any(part in classes for part in name.split('/')):
            check_choice(name, names, key)
    for hook in runner.hooks:
        if isinstance(hook, CheckpointHook) and hook.save_best is not None and hook.key_indicators == ['auto']:
            probe = copy(hook)
            probe.is_better_than = {}
            try:
                probe._init_rule(hook.rules, names[:1])
            except ValueError as error:
                raise ConfigError(
                    f"default_hooks.checkpoint.save_best is 'auto', which means the first metric, '{names[0]}', of "
                    "which it is not known whether more is better; set rule='greater' or 'less' with it, or save_best "
                    f'to another of {", ".join(names)}.'
                ) from error


def _wanted(runner: Runner) -> Iterator[Tuple[str, str]]:
    """Yield each name of a metric in the config, and where it stands."""
    for hook in runner.hooks:
        if isinstance(hook, CheckpointHook) and hook.save_best is not None:
            yield from (('default_hooks.checkpoint.save_best', name) for name in hook.key_indicators if name != 'auto')
        elif isinstance(hook, EarlyStoppingHook):
            yield 'EarlyStoppingHook.monitor', hook.monitor
    schedulers = runner.param_schedulers or []
    groups = schedulers.items() if isinstance(schedulers, dict) else [('', schedulers)]
    for part, group in groups:
        for scheduler in group:
            if getattr(scheduler, 'need_val_args', False):
                yield (
                    f'monitor of {type(scheduler).__name__}{f" (param_scheduler.{part})" if part else ""}',
                    scheduler.monitor,
                )
