import math
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple

import torch
from mmengine.dist import is_main_process
from mmengine.hooks import Hook, LoggerHook
from mmengine.hooks import RuntimeInfoHook as _RuntimeInfoHook
from mmengine.runner import Runner
from torch import Tensor

from sr4ir_mm.registry import HOOKS
from sr4ir_mm.utils import check_filled
from sr4ir_mm.utils.images import make_writable, write_image

from .utils import unwrap


def _image_paths(data_batch: dict) -> list:
    return [getattr(sample, 'img_path', None) for sample in data_batch.get('data_samples') or ()]


@HOOKS.register_module()
class RuntimeInfoHook(_RuntimeInfoHook):
    """MMEngine's, but it waits for the losses only when they are wanted, and stops the training where they are not finite.

    Args:
        defer: Whether the losses are read together, when they are logged or a checkpoint is going to be written, and not
            in each iteration: to read a number is to wait until the GPU has done all that leads to it. None: those on
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
                    'has stopped, and checkpoints written before are good. Try a lower learning '
                    'rate or optim_wrapper.<part>.clip_grad.'
                )
            for name, value in losses.items():
                runner.message_hub.update_scalar(f'train/{name}', value)


@HOOKS.register_module()
class WholeCheckpointHook(Hook):
    """Refuse to test a model that the checkpoint does not fill: MMEngine leaves the rest at random with a warning."""

    priority = 'HIGHEST'  # before any hook takes something from the checkpoint

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        model = unwrap(runner.model)
        check_filled(
            model,
            checkpoint.get('state_dict', checkpoint),
            runner._load_from,
            'the model of the config',
            'test it with the config that it was trained with',
        )


@HOOKS.register_module()
class PanelHook(Hook):
    """Draw images as rows of pictures, see :class:`~sr4ir_mm.visualization.PanelDrawer`.

    Args:
        out_dir: Folder for the pictures of a test, one PNG for each image; None: a test draws nothing.
        overview: So many rows of a test, from all over the data set, also go into one picture, ``overview.png``.
        num_val: In each validation, the first so many images go to the backends of the visualizer.
        **kwargs: As of :class:`~sr4ir_mm.visualization.PanelDrawer`.
    """

    priority = 'LOW'

    def __init__(self, out_dir: Optional[str] = None, overview: int = 6, num_val: int = 0, **kwargs) -> None:
        self.out_dir = out_dir and Path(out_dir)
        self.overview = overview
        self.num_val = num_val
        self._drawer_args = kwargs

    def _drawer(self, runner: Runner, loader):
        from sr4ir_mm.datasets import annotations_follow_image
        from sr4ir_mm.visualization import PanelDrawer

        return PanelDrawer(
            unwrap(runner.model),
            loader.dataset.metainfo,
            runner.cfg.get('visualizer'),
            annotations_follow_image=annotations_follow_image(loader.dataset),
            **self._drawer_args,
        )

    def before_test(self, runner: Runner) -> None:
        if self.out_dir is not None:
            make_writable(self.out_dir)
            self._draw = self._drawer(runner, runner.test_dataloader)
            # data sets are often sorted by class: neighbors look alike
            self._step = max(1, len(runner.test_dataloader.sampler) // max(1, self.overview))
            self._rows, self._labels, self._names, self._seen = [], set(), {}, 0

    def after_test_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs: Sequence = ()) -> None:
        for sample in outputs if self.out_dir is not None else ():
            row, labels = self._draw.row(sample), self._draw.labels(sample)
            write_image(self.out_dir / f'{self._name(sample)}.png', self._draw.compose([row], labels))
            if self._seen % self._step == 0 and len(self._rows) < self.overview:
                self._rows.append(row)
                self._labels |= labels
            self._seen += 1

    def _name(self, sample) -> str:
        """Of a file: that of the image, with its folder where another image has the same."""
        path = Path(getattr(sample, 'img_path', None) or f'{self._seen:06d}')
        if self._names.setdefault(path.stem, path) == path:
            return path.stem
        return f'{path.parent.name}_{path.stem}'

    def after_test(self, runner: Runner) -> None:
        if self.out_dir is not None and self._rows and is_main_process():
            path = self.out_dir / 'overview.png'
            write_image(path, self._draw.compose(self._rows, self._labels))
            runner.logger.info(f'Pictures are in {self.out_dir}, {len(self._rows)} of them together in {path}')

    def before_val(self, runner: Runner) -> None:
        self._left = self.num_val if is_main_process() else 0
        if self._left:
            self._draw = self._drawer(runner, runner.val_dataloader)

    def after_val_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs: Sequence = ()) -> None:
        for sample in outputs[: self._left]:
            image = self._draw.compose([self._draw.row(sample)], self._draw.labels(sample))
            name = Path(getattr(sample, 'img_path', f'{batch_idx}')).stem
            runner.visualizer.add_image(f'panel_{name}', image, step=runner.iter)
            self._left -= 1
