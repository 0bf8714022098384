from typing import Sequence

from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapperDict
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, Runner

from sr4ir_mm.registry import LOOPS
from sr4ir_mm.utils import ConfigError, check_choice

from .optim_wrapper import CascadeOptimWrapperConstructor
from .phase import build_phases


class _Alternating:
    """What the two loops below add to MMEngine's: the phases."""

    def __init__(self, runner: Runner, dataloader, phases: Sequence[dict], **kwargs) -> None:
        super().__init__(runner, dataloader, **kwargs)
        self._cascade = runner.model.module if is_model_wrapper(runner.model) else runner.model
        self.phases = build_phases(phases, self._cascade.terms, list(self._cascade.trainable_parts))
        self._check_optimizers(runner)

    def _check_optimizers(self, runner: Runner) -> None:
        """Every part that a phase updates needs an optimizer, and every optimizer a schedule if any has one."""
        wrappers, schedulers = runner.optim_wrapper, runner.param_schedulers
        if isinstance(wrappers, OptimWrapperDict):
            parts = list(wrappers.keys())
        elif str(wrappers.get('constructor', '')).endswith('CascadeOptimWrapperConstructor'):
            parts = CascadeOptimWrapperConstructor.parts(wrappers)
        else:
            raise ConfigError(f'optim_wrapper.constructor is {wrappers.get("constructor")!r}; a cascade needs '
                              "'sr4ir_mm.CascadeOptimWrapperConstructor', and one entry for each part that learns.")
        for part in parts:
            check_choice(part, self._cascade.trainable_parts, 'an entry of optim_wrapper')
        learning = {part: phase.name for phase in self.phases for part in phase.update}
        for part, phase in learning.items():
            if part not in parts:
                raise ConfigError(f"The phase '{phase}' updates '{part}', but optim_wrapper has no entry for it; "
                                  f'it has: {", ".join(parts)}.')
        for part in parts:
            if part not in learning:
                raise ConfigError(f"optim_wrapper has '{part}', but no phase updates it; set optim_wrapper.{part}=None "
                                  f'or name it in train_cfg.phases.')
            if isinstance(schedulers, dict) and 'type' not in schedulers and part not in schedulers:
                raise ConfigError(f"optim_wrapper has '{part}', but param_scheduler has no entry for it; "
                                  f'it has: {", ".join(schedulers)}.')

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
