"""The hook that reads the losses of an iteration, and ends a training whose losses are no numbers."""

import math
from typing import Dict, List, Optional, Tuple

import torch
from mmengine.hooks import LoggerHook, RuntimeInfoHook
from mmengine.runner import Runner
from torch import Tensor

from sr4ir_mm.registry import HOOKS


def _image_paths(data_batch: dict) -> list:
    return [getattr(sample, 'img_path', None) for sample in data_batch.get('data_samples') or ()]


@HOOKS.register_module()
class DeferredLossHook(RuntimeInfoHook):
    """Log as MMEngine does, but wait for the losses only when they are wanted, and stop where they are not finite.

    Args:
        defer: Read the losses together, when they are logged or a checkpoint is going to be written, and not in each
            iteration: to read a number is to wait until the GPU has done all that leads to it. None: those on
            a GPU.

    Raises:
        FloatingPointError: A loss is not a number: which one, in which iteration, on which images.
    """

    def __init__(self, defer: Optional[bool] = None) -> None:
        self.defer = defer
        #: what has not been read: number of the iteration, its images, its losses
        self._unread: List[Tuple[int, list, Dict[str, Tensor]]] = []

    def before_train(self, runner: Runner) -> None:
        super().before_train(runner)
        self._intervals = [hook.interval for hook in runner.hooks if isinstance(hook, LoggerHook)]

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs: Optional[dict] = None) -> None:
        if not outputs:
            return
        self._unread.append((runner.iter + 1, _image_paths(data_batch), outputs))
        defer = outputs['loss'].is_cuda if self.defer is None else self.defer
        logged = any(self.every_n_inner_iters(batch_idx, interval) for interval in self._intervals)
        if not defer or logged or self.end_of_epoch(runner.train_dataloader, batch_idx):
            self.read_losses(runner)

    def read_losses(self, runner: Runner) -> None:
        """Hand over to the logs what the iterations since the last time have left."""
        unread, self._unread = self._unread, []
        if not unread:
            return
        values = iter(
            torch.stack([value.detach().float() for _, _, losses in unread for value in losses.values()]).tolist()
        )
        for iteration, images, losses in unread:
            losses = dict(zip(losses, values))
            bad = [f'{name} = {value}' for name, value in losses.items() if name != 'loss' and not math.isfinite(value)]
            if bad:
                raise FloatingPointError(
                    f'{", ".join(bad)} in iteration {iteration}, on the images {images}; the training '
                    'has stopped, and earlier checkpoints are good. Try a lower learning '
                    'rate or optim_wrapper.<part>.clip_grad.'
                )
            for name, value in losses.items():
                runner.message_hub.update_scalar(f'train/{name}', value)
