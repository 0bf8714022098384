from pathlib import Path
from typing import Optional, Sequence

import torch
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from sr4ir_mm.registry import HOOKS
from sr4ir_mm.utils import check_filled
from sr4ir_mm.utils.images import make_writable, write_image

from .utils import unwrap


def _image_paths(data_batch: dict) -> list:
    return [getattr(sample, 'img_path', None) for sample in data_batch.get('data_samples') or ()]


@HOOKS.register_module()
class NonFiniteLossHook(Hook):
    """Stop the training at the first loss that is not a number, before a checkpoint can be written from it."""
    priority = 'VERY_HIGH'

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs: Optional[dict] = None) -> None:
        losses = {name: value for name, value in (outputs or {}).items() if name != 'loss'}
        if not losses or torch.isfinite(torch.stack(list(losses.values()))).all():
            return
        bad = [f'{name} = {value.item()}' for name, value in losses.items() if not torch.isfinite(value)]
        raise FloatingPointError(f'{", ".join(bad)} in iteration {runner.iter + 1}, on the images '
                                 f'{_image_paths(data_batch)}; the training has stopped, and checkpoints written '
                                 f'before are good. Try a lower learning rate or optim_wrapper.<part>.clip_grad.')


@HOOKS.register_module()
class WholeCheckpointHook(Hook):
    """Refuse to test a model that the checkpoint does not fill: MMEngine leaves the rest at random with a warning."""

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        model = unwrap(runner.model)
        check_filled(model, checkpoint.get('state_dict', checkpoint), runner._load_from, 'the model of the config',
                     'test it with the config that it was trained with')


@HOOKS.register_module()
class PanelHook(Hook):
    """Draw images as rows of pictures, see :class:`~sr4ir_mm.visualization.PanelDrawer`.

    Args:
        out_dir: Folder for the pictures of a test, one PNG for each image; None: a test draws nothing.
        overview: So many rows of a test also go into one picture, ``overview.png``.
        num_val: In each validation, the first so many images go to the backends of the visualizer.
        **kwargs: As of :class:`~sr4ir_mm.visualization.PanelDrawer`.
    """
    priority = 'LOW'

    def __init__(self, out_dir: Optional[str] = None, overview: int = 6, num_val: int = 0, **kwargs) -> None:
        self.out_dir = out_dir and Path(out_dir)
        self.overview = overview
        self.num_val = num_val
        self._drawer_args = kwargs
        self._rows = []
        self._labels = set()

    def _drawer(self, runner: Runner, loader):
        from sr4ir_mm.visualization import PanelDrawer
        return PanelDrawer(
            unwrap(runner.model), loader.dataset.metainfo, runner.cfg.get('visualizer'), **self._drawer_args)

    def before_test(self, runner: Runner) -> None:
        if self.out_dir is not None:
            make_writable(self.out_dir)
            self._draw = self._drawer(runner, runner.test_dataloader)

    def after_test_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs: Sequence = ()) -> None:
        for sample in outputs if self.out_dir is not None else ():
            row, labels = self._draw.row(sample), self._draw.labels(sample)
            name = Path(getattr(sample, 'img_path', f'{batch_idx}')).stem
            write_image(self.out_dir / f'{name}.png', self._draw.compose([row], labels))
            if len(self._rows) < self.overview:
                self._rows.append(row)
                self._labels |= labels

    def after_test(self, runner: Runner) -> None:
        if self._rows:
            path = self.out_dir / 'overview.png'
            write_image(path, self._draw.compose(self._rows, self._labels))
            runner.logger.info(f'Pictures are in {self.out_dir}, the first {len(self._rows)} together in {path}')

    def before_val(self, runner: Runner) -> None:
        self._left = self.num_val if is_main_process() else 0
        if self._left:
            self._draw = self._drawer(runner, runner.val_dataloader)

    def after_val_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs: Sequence = ()) -> None:
        for sample in outputs[:self._left]:
            image = self._draw.compose([self._draw.row(sample)], self._draw.labels(sample))
            name = Path(getattr(sample, 'img_path', f'{batch_idx}')).stem
            runner.visualizer.add_image(f'panel_{name}', image, step=runner.iter)
            self._left -= 1
