from typing import Sequence

from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapperDict
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, Runner
from torch import nn

from sr4ir_mm.registry import LOOPS
from sr4ir_mm.utils import ConfigError, check_choice

from .optim_wrapper import CascadeOptimWrapperConstructor
from .phase import build_phases


class _Alternating:
    """What the two loops below add to MMEngine's: the phases."""

    def __init__(self, runner: Runner, dataloader, phases: Sequence[dict], **kwargs) -> None:
        super().__init__(runner, dataloader, **kwargs)
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        self.phases = build_phases(phases, model.terms, list(model.trainable_parts))
        self._check_optimizers(runner)
        self._cascade = model

    def _check_optimizers(self, runner: Runner) -> None:
        """Every part that a phase updates needs an optimizer, and every optimizer a schedule if any has one."""
        learning = {part for phase in self.phases for part in phase.update}
        wrappers, schedulers = runner.optim_wrapper, runner.param_schedulers
        if isinstance(wrappers, OptimWrapperDict):
            parts = list(wrappers.keys())
        else:
            if 'constructor' not in wrappers:
                raise ConfigError('optim_wrapper has no `constructor`; a cascade needs '
                                  "constructor='sr4ir_mm.CascadeOptimWrapperConstructor' and one entry for each part.")
            parts = CascadeOptimWrapperConstructor.parts(wrappers)
        for part in sorted(learning):
            check_choice(part, parts, 'a part updated by train_cfg.phases but not in optim_wrapper')
        for part in parts:
            check_choice(part, sorted(learning), 'a part in optim_wrapper but in no phase of train_cfg.phases')
            if isinstance(schedulers, dict) and 'type' not in schedulers:
                check_choice(part, schedulers, 'a part in optim_wrapper but not in param_scheduler')

    def _set_phases(self, progress: int) -> None:
        """Hand the phases of this epoch or iteration to the model, without those in which no loss has begun."""
        phases = [phase.at(progress) for phase in self.phases]
        self._cascade.phases = [phase for phase in phases if phase.losses]


@LOOPS.register_module()
class AlternatingTrainLoop(_Alternating, EpochBasedTrainLoop):
    """Training by epochs, each iteration in phases.

    Args:
        runner: The runner.
        dataloader: As of :class:`mmengine.runner.EpochBasedTrainLoop`.
        phases: One dict for each phase, see :func:`sr4ir_mm.engine.build_phases`; ``begin`` counts epochs from 0.
        **kwargs: ``max_epochs``, ``val_interval`` and the other arguments of MMEngine's loop.
    """

    def run_epoch(self) -> None:
        self._set_phases(self._epoch)
        super().run_epoch()


@LOOPS.register_module()
class AlternatingIterTrainLoop(_Alternating, IterBasedTrainLoop):
    """Training by iterations, each in phases.

    Args:
        runner: The runner.
        dataloader: As of :class:`mmengine.runner.IterBasedTrainLoop`.
        phases: One dict for each phase, see :func:`sr4ir_mm.engine.build_phases`; ``begin`` counts iterations from 0.
        **kwargs: ``max_iters``, ``val_interval`` and the other arguments of MMEngine's loop.
    """

    def run_iter(self, data_batch: Sequence[dict]) -> None:
        self._set_phases(self._iter)
        super().run_iter(data_batch)
