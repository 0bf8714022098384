"""Checkpoints that survive a crash, and from which a training goes on as if it had never stopped."""

import os
import os.path as osp
import re
from collections import deque
from glob import escape, glob
from pathlib import Path
from typing import Dict, Optional, Union

import torch
from mmengine.dist import all_gather_object, get_rank, get_world_size, is_main_process
from mmengine.fileio import LocalBackend, register_backend
from mmengine.hooks import CheckpointHook, EMAHook
from mmengine.runner import EpochBasedTrainLoop, Runner
from mmengine.utils import apply_to

from sr4ir_mm.checkpoints import use_safe_loader
from sr4ir_mm.checkpoints.resume import check_fits, check_resumable, differences, gather_processes, kinds, load_buffers
from sr4ir_mm.engine.stop import EXIT_CODE, spare_workers
from sr4ir_mm.errors import CheckpointError, ConfigError
from sr4ir_mm.registry import HOOKS
from sr4ir_mm.utils.files import write_at_once
from sr4ir_mm.utils.random_state import get_random_state, set_random_state
from sr4ir_mm.utils.runner import loaded_from, unwrap

from .runtime_info import DeferredLossHook


@register_backend('atomic')
class AtomicBackend(LocalBackend):
    """The local disk, where a file has its name only when all of it is on the disk."""

    def put(self, obj: Union[bytes, memoryview], filepath: Union[str, Path]) -> None:
        try:
            write_at_once(filepath, obj, sync=True)
        except OSError as error:
            raise CheckpointError(
                f'The checkpoint {filepath} cannot be written: {error.strerror or error}. The training '
                'has stopped; earlier checkpoints are untouched, and --resume continues from '
                'the last of them.'
            ) from error


@HOOKS.register_module()
class ResumableCheckpointHook(CheckpointHook):
    """MMEngine's hook of this name, with files that are never half written and an exact resume.

    Besides what MMEngine saves, a checkpoint keeps the random numbers and the batch-norm statistics of every process,
    gradients that wait for the rest of an accumulation, and the position in the data. An older checkpoint is removed
    only when the new one is complete. Validation draws from random numbers of its own: training is the same with and
    without it.

    After SIGTERM or SIGUSR1, the training writes a checkpoint at the end of the iteration and exits with
    :data:`~sr4ir_mm.engine.stop.EXIT_CODE`.

    For the loops of this package.

    Args:
        **kwargs: See MMEngine's hook. ``backend_args`` other than of the local disk are used as they are.
    """

    # MMEngine's, changed here
    by_epoch: bool
    filename_tmpl: str
    max_keep_ckpts: int

    def __init__(self, *args, backend_args: Optional[dict] = None, **kwargs) -> None:
        super().__init__(*args, backend_args=backend_args or dict(backend='atomic'), **kwargs)
        self._saved: Optional[dict] = None
        self._resumed: Optional[dict] = None
        self._before_val: dict = {}
        self._validated_at: Optional[int] = None
        self._saved_at: Optional[int] = None
        self._common_val_batches = 0
        self._stopped = False
        self._superseded: Optional[str] = None

    def before_run(self, runner: Runner) -> None:
        use_safe_loader()  # before the runner reads what it loads or resumes

    def before_train(self, runner: Runner) -> None:
        kept = self._own_files(runner)
        super().before_train(runner)
        self._find_own_files(runner, kept)
        if is_main_process() and osp.isdir(self.out_dir):
            for draft in filter(osp.isfile, glob(osp.join(escape(self.out_dir), '*.pth.tmp'))):
                os.remove(draft)
        if self.max_keep_ckpts > 0:
            # MMEngine removes the oldest before it writes the newest; with one more to keep, it stays until then
            self._keep = self.max_keep_ckpts
            self.max_keep_ckpts += 1
            self._remove_oldest()
        self._listen(runner)
        if self._resumed is not None:
            self._restore(runner, self._resumed)
            self._resumed = None

    # ---------- what of an earlier training may be removed

    def _own_files(self, runner: Runner) -> Dict[str, object]:
        """Take from a resumed message hub what MMEngine would remove by it: a checkpoint may name any path there."""
        info = runner.message_hub.runtime_info
        return {name: info.pop(name) for name in list(info) if name == 'keep_ckpt_ids' or name.startswith('best_ckpt')}

    def _find_own_files(self, runner: Runner, named: Dict[str, object]) -> None:
        """Go on with those that are checkpoints in the folder of this training, which may be a copy of the other's."""
        best = {}
        for name, path in named.items():
            file = osp.basename(path) if isinstance(path, str) else ''
            if re.fullmatch(r'best_.+\.pth', file) and self._is_file(file):
                best[name] = self.file_backend.join_path(self.out_dir, file)
                runner.message_hub.update_info(name, best[name])
        if self.save_best is not None and len(self.key_indicators) == 1:
            self.best_ckpt_path = best.get('best_ckpt')
        elif self.save_best is not None:
            self.best_ckpt_path_dict = {key: best.get(f'best_ckpt_{key}') for key in self.key_indicators}
        steps = named.get('keep_ckpt_ids')
        steps = [step for step in steps if type(step) is int and step >= 0] if isinstance(steps, list) else []
        if self.max_keep_ckpts > 0:
            self.keep_ckpt_ids = deque(step for step in steps if self._is_file(self.filename_tmpl.format(step)))

    def _is_file(self, name: str) -> bool:
        path = self.file_backend.join_path(self.out_dir, name)
        return self.file_backend.isfile(path) and not osp.islink(path)

    def _remove_oldest(self) -> None:
        while self.max_keep_ckpts > 0 and len(self.keep_ckpt_ids) > self._keep:
            self._remove(self.filename_tmpl.format(self.keep_ckpt_ids.popleft()))

    def _remove(self, name: str) -> None:
        if is_main_process() and self._is_file(name):
            self.file_backend.remove(self.file_backend.join_path(self.out_dir, name))

    # ---------- stopping on request

    def _listen(self, runner: Runner) -> None:
        runner.train_loop.stop.listen(runner.cfg.get('env_cfg', {}).get('dist_cfg', {}).get('timeout', 1800))
        for loop in (runner.train_loop, runner.val_loop):
            if loop is not None:
                spare_workers(loop.dataloader)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch=None) -> None:
        runner.train_loop.stop.share()

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs: Optional[dict] = None) -> None:
        super().after_train_iter(runner, batch_idx, data_batch, outputs)
        if runner.train_loop.stop.agreed():
            self._stop(runner, runner.iter + 1)

    def before_val_iter(self, runner: Runner, batch_idx: int, data_batch=None) -> None:
        if batch_idx < self._common_val_batches:
            runner.train_loop.stop.share()

    def after_val_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        if batch_idx < self._common_val_batches and runner.train_loop.stop.agreed():
            for hook in runner.hooks:
                if isinstance(hook, EMAHook):  # which has put the average into the model for the validation
                    hook._swap_ema_parameters()
            set_random_state(self._before_val)
            self._stop(runner, runner.iter)

    def _stop(self, runner: Runner, iterations: int) -> None:
        if self._saved_at != iterations:
            self.save_optimizer = self.save_param_scheduler = True
            if self.by_epoch:  # the name says where in the epoch it is
                self.by_epoch, self.filename_tmpl, self.max_keep_ckpts = False, 'iter_{}.pth', -1
                self._stopped = True
            self._save_checkpoint_with_step(runner, iterations, dict(epoch=runner.epoch, iter=iterations))
        runner.visualizer.close()
        runner.logger.warning(
            f'The training has been asked to stop and ends after iteration {iterations}, with exit code '
            f'{EXIT_CODE}; --resume continues from {self.last_ckpt}.'
        )
        runner.train_loop.stop.leave()

    # ---------- validation beside the training

    def before_val(self, runner: Runner) -> None:
        self._before_val = get_random_state()
        loop = runner._train_loop
        batches = len(runner.val_dataloader) if hasattr(loop, 'stop') and loop.stop.listens else 0
        # some processes may have a batch more; all of them have to meet in each exchange
        self._common_val_batches = min(all_gather_object(batches)) if get_world_size() > 1 else batches

    def after_val_epoch(self, runner: Runner, metrics: Optional[dict] = None) -> None:
        set_random_state(self._before_val)
        self._validated_at = runner.iter
        super().after_val_epoch(runner, metrics)

    # ---------- writing

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        for hook in runner.hooks:
            if isinstance(hook, DeferredLossHook):
                hook.read_losses(runner)  # the logs are saved too
        _check_finite(runner)
        # every process comes here, but only the main one reaches `before_save_checkpoint`
        self._saved = dict(
            resume_state=dict(
                processes=gather_processes(runner),
                batches_per_epoch=len(runner.train_dataloader),
                validated_at=self._validated_at,
                stopped=self._stopped,
                kinds=kinds(runner),
            )
        )
        save_optimizer = self.save_optimizer
        if save_optimizer:
            # of an optimizer that is spread over the processes, like ZeRO's, they make the state together
            self._saved['optimizer'] = apply_to(
                runner.optim_wrapper.state_dict(), lambda x: hasattr(x, 'cpu'), lambda x: x.cpu()
            )
            self.save_optimizer = False
        super()._save_checkpoint_with_step(runner, step, meta)
        self.save_optimizer = save_optimizer
        self._remove_oldest()
        if self._superseded is not None and self._superseded != osp.basename(self.last_ckpt):
            self._remove(self._superseded)
        self._superseded = self._saved = None
        self._saved_at = meta['iter']

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        if self._saved is not None:
            checkpoint.update(self._saved)

    # ---------- reading

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        path = loaded_from(runner)
        if not runner._resume:
            check_fits(unwrap(runner.model), checkpoint.get('state_dict', checkpoint), path)
            return
        check_resumable(runner, checkpoint, path)
        changed = differences(runner, checkpoint)
        if changed:
            runner.logger.warning(
                f'{path} and the config differ: {"; ".join(changed[:8])}. A resume takes optimizers and '
                'schedules from the checkpoint and everything else from the config; to train with '
                "the config's, set load_from instead."
            )
        state, meta = checkpoint['resume_state'], checkpoint['meta']
        if state.get('stopped') and self.max_keep_ckpts > 0:
            self._superseded = f"iter_{int(meta['iter'])}.pth"  # the next checkpoint replaces it
        batches = len(runner.train_dataloader)
        if isinstance(runner.train_loop, EpochBasedTrainLoop) and state['batches_per_epoch'] != batches:
            done = meta['iter'] - meta['epoch'] * state['batches_per_epoch']
            if done:
                raise ConfigError(
                    f'{path} was saved after batch {done} of an epoch of '
                    f"{state['batches_per_epoch']}, but an epoch has {batches} batches now; resume with "
                    'the same data set, batch size and number of processes, or from the end of an epoch.'
                )
            meta['iter'] = meta['epoch'] * batches
        if len(state['processes']) != get_world_size():
            if any(process['gradients'] is not None for process in state['processes']):
                raise ConfigError(
                    f'{path} was saved in the middle of an accumulation of gradients by '
                    f"{len(state['processes'])} processes, but there are {get_world_size()} now; "
                    'resume with the same number.'
                )
            runner.logger.warning(
                f"The checkpoint was saved by {len(state['processes'])} processes, and now there are "
                f'{get_world_size()}: the training continues with other random numbers, and with the '
                'batch-norm statistics of the first process in all of them.'
            )
        elif any('buffers' not in process for process in state['processes']) and get_world_size() > 1:
            runner.logger.warning(
                'The checkpoint is of an earlier version, which kept the batch-norm statistics of the '
                'first process alone: all processes continue with these.'
            )
        self._resumed = state

    def _restore(self, runner: Runner, state: dict) -> None:
        same_processes = len(state['processes']) == get_world_size()
        process = state['processes'][get_rank() if same_processes else 0]
        runner.train_dataloader.set_seeds(process['seeds'])
        if same_processes:
            set_random_state(process['random'])
            load_buffers(runner, process.get('buffers', {}))
            if process['gradients'] is not None:
                runner.optim_wrapper.load_gradients(process['gradients'])
        self._validated_at = state['validated_at']
        self._validate_again(runner)

    def _validate_again(self, runner: Runner) -> None:
        """Do the validation that belongs after this checkpoint, where the training ended before it."""
        loop = runner.train_loop
        if runner.val_loop is None or self._validated_at == loop.iter:
            return
        by_epoch = isinstance(loop, EpochBasedTrainLoop)
        if by_epoch and loop.iter != loop.epoch * len(loop.dataloader):
            return
        done, end = (loop.epoch, loop.max_epochs) if by_epoch else (loop.iter, loop.max_iters)
        loop._decide_current_val_interval()
        if done >= loop.val_begin and (done % loop.val_interval == 0 or done == end):
            runner.val_loop.run()


def _check_finite(runner: Runner) -> None:
    """Where several processes train, the bad loss may have been another one's."""
    bad = [name for name, tensor in unwrap(runner.model).state_dict().items() if not torch.isfinite(tensor).all()]
    if bad:
        raise FloatingPointError(
            f'{len(bad)} tensors of the model are no longer finite, the first is {bad[0]}; no '
            'checkpoint is written, and earlier ones are good.'
        )
