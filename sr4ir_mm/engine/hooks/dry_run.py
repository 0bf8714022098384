"""The hook that tries one sample before a training, so that what would fail after an hour fails at once."""

import io
import sys
import warnings
from contextlib import contextmanager, nullcontext, redirect_stdout
from copy import copy, deepcopy
from typing import Iterator, List, Sequence

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmengine.runner.amp import autocast
from torch import Tensor
from torch.utils.data import Dataset

from sr4ir_mm.models.phases import Phase
from sr4ir_mm.utils.preserve import preserved
from sr4ir_mm.utils.random_state import get_random_state, set_random_state
from sr4ir_mm.utils.runner import unwrap

from .dry_run_checks import check_classes, check_files, told
from .dry_run_metrics import check_names, try_metrics


class DryRunHook(Hook):
    """Load, train and validate with one sample, before the first iteration. The training loops add this hook.

    All losses of all phases are computed and go backward, whatever their ``begin``, but no optimizer steps. One
    validation sample goes through the model and the metrics. Afterwards everything is as it was: weights, statistics,
    gradients, random numbers, the position in the data, logs and metrics; a training is the same with and without it.

    Every process does the same with the same samples, so that all of them stop, or none.

    Args:
        phases: The phases of the training.

    Raises:
        ConfigError: What fails, where, and what to change.
    """

    # the others may prepare the model, and a resume restores it
    priority = 'LOWEST'

    def __init__(self, phases: Sequence[Phase]) -> None:
        self.phases = [phase.at(sys.maxsize) for phase in phases]

    def before_train(self, runner: Runner) -> None:
        cascade, loop = unwrap(runner.model), runner.val_loop
        loaders = dict(train_dataloader=runner.train_dataloader)
        if hasattr(loop, 'dataloader') and hasattr(loop, 'evaluator'):  # some loops have several of them
            loaders['val_dataloader'] = loop.dataloader
        with _without_a_trace(runner):
            for key, loader in loaders.items():
                check_classes(cascade, loader.dataset, key)
            self._train(runner, cascade)
            if 'val_dataloader' in loaders:
                self._validate(runner, cascade)

    def _train(self, runner: Runner, cascade) -> None:
        loader = runner.train_dataloader
        # two, where a batch has them: batch norm of pooled features cannot learn from one
        count = min(2, getattr(loader.batch_sampler, 'batch_size', 2) or 2, len(loader.dataset))
        keys = [(index, (runner.seed, 0, 0, index)) for index in range(count)]
        data = _load(loader, keys, 'training', 'train_dataloader')
        progress = _Progress(runner.optim_wrapper, self.phases)
        cascade.phases = [phase for phase in self.phases if phase.losses]
        cascade.train()
        with told('training', progress.where, cascade):
            # the method of the class: MMEngine may have compiled that of the model
            type(cascade).train_step(cascade, data, progress)

    def _validate(self, runner: Runner, cascade) -> None:
        loop = runner.val_loop
        data = _load(loop.dataloader, [0], 'validation', 'val_dataloader')
        cascade.eval()
        mixed = autocast(enabled=getattr(loop, 'fp16', False))
        with told('validation', lambda: 'in the prediction', cascade), torch.no_grad(), mixed:
            samples = cascade.val_step(data)
        names = try_metrics(loop.evaluator.metrics, data, samples)
        if names is not None:
            metainfo = getattr(loop.dataloader.dataset, 'metainfo', None) or {}
            check_names(runner, names, metainfo.get('classes') or ())


class _Progress:
    """An optimizer wrapper that does not step, and knows which loss the cascade is at."""

    def __init__(self, optim_wrapper, phases: Sequence[Phase]) -> None:
        self._autocast = optim_wrapper.autocast
        self._losses: Iterator[str] = iter(
            f"in the loss `{loss.term}` of the phase '{phase.name}'" for phase in phases for loss in phase.losses
        )
        self._at = 'before its first loss'

    def where(self) -> str:
        return self._at

    def iteration(self):
        return nullcontext()

    def autocast(self):
        self._at = next(self._losses, self._at)
        return self._autocast()

    def scale_loss(self, loss: Tensor) -> Tensor:
        return loss

    def step(self, parts: Sequence[str], reduce_gradients=None) -> None:
        pass


def _load(loader, indices: Sequence, kind: str, key: str) -> dict:
    """Collate samples of a data set, which does not notice it."""
    dataset = _copy(loader.dataset)
    with told(kind, lambda: f'while it was loaded by {key}'):
        data = loader.collate_fn([dataset[index] for index in indices])
    check_files(loader.dataset, key)
    return data


def _parts(dataset: Dataset) -> List[Dataset]:
    """Return a data set and all those that it wraps."""
    own = vars(dataset)
    inner = [own.get('dataset'), *(own.get('datasets') or ())]
    return [dataset, *(part for each in inner if isinstance(each, Dataset) for part in _parts(each))]


def _copy(dataset: Dataset) -> Dataset:
    """Copy a data set with its pipelines, some of which remember samples; its annotations are shared."""
    shared = {
        id(value): value
        for part in _parts(dataset)
        for name, value in vars(part).items()
        if name not in ('dataset', 'datasets', 'pipeline')
    }
    try:
        return deepcopy(dataset, shared)
    except Exception:  # something in it, as an open connection, cannot be copied; a training can do with it
        return dataset


@contextmanager
def _without_a_trace(runner: Runner) -> Iterator[None]:
    hub, random_state, silenced = runner.message_hub, get_random_state(), runner.logger.disabled
    messages = dict(vars(hub))
    vars(hub).update(
        _log_scalars=type(hub._log_scalars)((name, copy(value)) for name, value in hub._log_scalars.items()),
        _runtime_info=copy(hub._runtime_info),
        _resumed_keys=copy(hub._resumed_keys),
    )
    runner.logger.disabled = True
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), preserved(unwrap(runner.model)):
            warnings.simplefilter('ignore')
            yield
    finally:
        runner.logger.disabled = silenced
        vars(hub).update(messages)
        set_random_state(random_state)
