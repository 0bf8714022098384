"""The two training loops, by epochs and by iterations, which run the phases."""

from typing import Dict, Iterator, Optional, Sequence

from mmengine.dist import get_world_size
from mmengine.optim import OptimWrapperDict
from mmengine.runner import BaseLoop, EpochBasedTrainLoop, IterBasedTrainLoop, Runner
from torch import nn

from sr4ir_mm.config.schedules import to_the_end
from sr4ir_mm.errors import ConfigError, check_choice
from sr4ir_mm.models.losses import check_needs
from sr4ir_mm.models.phases import build_phases, check_begins
from sr4ir_mm.registry import LOOPS
from sr4ir_mm.utils.runner import unwrap

from .dataloader import ReproducibleDataLoader
from .distributed import CascadeDistributedDataParallel
from .hooks.content import ContentHook, check_checkpoint_hook
from .hooks.dry_run import DryRunHook
from .hooks.host import check_host_hooks
from .optim_wrapper import CascadeOptimWrapperConstructor
from .schedulers import check_schedules
from .stop import StopRequest


class _Alternating(BaseLoop):
    """Add to MMEngine's loops the phases, and data that a resume finds again."""

    def __init__(self, runner: Runner, dataloader, phases: Sequence[dict], dry_run: bool = True, **kwargs) -> None:
        if isinstance(dataloader, dict):
            dataloader = runner.build_dataloader(
                dataloader, seed=runner.seed, diff_rank_seed=runner._randomness_cfg.get('diff_rank_seed', False)
            )
        if not len(dataloader):  # by iterations, MMEngine would wait for a batch for ever
            raise ConfigError(
                f'train_dataloader has no batch: its data set has {len(dataloader.dataset)} images for '
                f'{get_world_size()} processes, and a batch that is not full is left out; use a smaller '
                'train_dataloader.batch_size, or set train_dataloader.drop_last=False.'
            )
        super().__init__(runner, ReproducibleDataLoader(dataloader, runner.seed), **kwargs)
        check_checkpoint_hook(runner)
        runner.register_hook(ContentHook())
        self.stop = StopRequest()
        self._cascade = unwrap(runner.model)
        self.phases = build_phases(phases, self._cascade)
        for term in {loss.term for phase in self.phases for loss in phase.losses}:
            check_needs(term, self._cascade.losses[term], self._cascade)
        by_epoch = isinstance(self, EpochBasedTrainLoop)
        check_begins(self.phases, self.max_epochs if by_epoch else self.max_iters)
        self._check_optimizers(runner)
        check_host_hooks(runner, self.dataloader.dataset)
        if dry_run:
            runner.register_hook(DryRunHook(self.phases))
        runner.param_schedulers = to_the_end(runner.param_schedulers, self._lengths())
        if runner.model is not self._cascade:
            if not isinstance(runner.model, CascadeDistributedDataParallel):
                raise ConfigError(
                    f'model_wrapper_cfg makes a {type(runner.model).__name__}, which does not know phases; '
                    "allowed: model_wrapper_cfg=dict(type='sr4ir_mm.CascadeDistributedDataParallel')."
                )
            runner.model.convert_sync_bn({part for phase in self.phases for part in phase.update})

    def _check_optimizers(self, runner: Runner) -> None:
        """Every part that a phase updates needs an optimizer, and every optimizer a schedule if any has one."""
        wrappers, schedulers = runner.optim_wrapper, runner.param_schedulers
        if isinstance(wrappers, OptimWrapperDict):
            parts = list(wrappers.keys())
        elif str(wrappers.get('constructor', '')).endswith('CascadeOptimWrapperConstructor'):
            parts = CascadeOptimWrapperConstructor.parts(wrappers)
        else:
            raise ConfigError(
                f'optim_wrapper.constructor is {wrappers.get("constructor")!r}; a cascade needs '
                "'sr4ir_mm.CascadeOptimWrapperConstructor', and one entry for each part that learns."
            )
        for part in parts:
            check_choice(part, self._cascade.trainable_parts, 'an entry of optim_wrapper')
        learning = {part: phase.name for phase in self.phases for part in phase.update}
        for part, phase in learning.items():
            if part not in parts:
                raise ConfigError(
                    f"The phase '{phase}' updates '{part}', but optim_wrapper has no entry for it; "
                    f'it has: {", ".join(parts)}.'
                )
        if isinstance(schedulers, dict) and 'type' not in schedulers:
            known = [*self._cascade.parts, *parts, *(name for name, value in wrappers.items() if value is None)]
            for part in schedulers:
                check_choice(part, dict.fromkeys(known), 'an entry of param_scheduler')
        for part in parts:
            if part not in learning:
                raise ConfigError(
                    f"optim_wrapper has '{part}', but no phase updates it; set optim_wrapper.{part}=None "
                    f'or name it in train_cfg.phases.'
                )
            if isinstance(schedulers, dict) and 'type' not in schedulers and part not in schedulers:
                raise ConfigError(
                    f"optim_wrapper has '{part}', but param_scheduler has no entry for it; "
                    f'it has: {", ".join(schedulers)}.'
                )

    def _lengths(self) -> Dict[str, int]:
        return dict(max_epochs=self.max_epochs, max_iters=self.max_iters)

    def run(self) -> nn.Module:
        """As MMEngine's, with a word on schedules that end earlier or later, and signals that are given back."""
        check_schedules(self.runner.param_schedulers, self._lengths())
        try:
            return super().run()
        finally:
            self.stop.close()

    def _set_phases(self, progress: int) -> None:
        """Hand the phases of this epoch or iteration to the model, without those in which no loss has begun."""
        phases = [phase.at(progress) for phase in self.phases]
        self._cascade.phases = [phase for phase in phases if phase.losses]


@LOOPS.register_module()
class AlternatingTrainLoop(_Alternating, EpochBasedTrainLoop):
    """Training by epochs, each iteration in phases.

    Args:
        runner: The runner.
        dataloader: See :class:`mmengine.runner.EpochBasedTrainLoop`.
        phases: One dict for each phase, see :func:`sr4ir_mm.models.build_phases`; ``begin`` counts epochs from 0.
        dry_run: Try one sample before the training, see :class:`~sr4ir_mm.engine.hooks.dry_run.DryRunHook`.
        **kwargs: ``max_epochs``, ``val_interval`` and the other arguments of MMEngine's loop.
    """

    def run_epoch(self) -> None:
        """As MMEngine's, but an epoch that a resume finds begun goes on where it was."""
        self._set_phases(self._epoch)
        done = self._iter - self._epoch * len(self.dataloader)
        self.dataloader.seek(self._epoch, done)
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        for index, data_batch in enumerate(self.dataloader, done):
            self.run_iter(index, data_batch)
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1


@LOOPS.register_module()
class AlternatingIterTrainLoop(_Alternating, IterBasedTrainLoop):
    """Training by iterations, each in phases.

    Args:
        runner: The runner.
        dataloader: See :class:`mmengine.runner.IterBasedTrainLoop`.
        phases: One dict for each phase, see :func:`sr4ir_mm.models.build_phases`; ``begin`` counts iterations from 0.
        dry_run: Try one sample before the training, see :class:`~sr4ir_mm.engine.hooks.dry_run.DryRunHook`.
        **kwargs: ``max_iters``, ``val_interval`` and the other arguments of MMEngine's loop.
    """

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.dataloader_iterator = self._batches()

    def _batches(self) -> Iterator[Optional[dict]]:
        """The batches of the whole training."""
        done = self._iter
        # MMEngine goes past what was trained before a resume one by one; nothing has to be loaded for that
        yield from (None for _ in range(done))
        self.dataloader.seek(0, done)
        while True:
            yield from self.dataloader
            self.dataloader.positions.epoch += 1

    def run_iter(self, data_batch: Sequence[dict]) -> None:
        self._set_phases(self._iter)
        super().run_iter(data_batch)
