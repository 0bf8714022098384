from pathlib import Path
from typing import Optional, Sequence

import cv2
import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.registry import VISUALIZERS
from mmengine.runner import Runner
from torch import Tensor

from sr4ir_mm.registry import HOOKS
from sr4ir_mm.utils import check_filled

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
    """Draw each test image as a row: LR | SR | HR | prediction on SR | ground truth.

    Args:
        out_dir: Folder of the pictures, one PNG for each image.
        overview: So many rows also go into one picture, ``overview.png``.
        min_height: Small images are enlarged, by a whole number, to at least this height.
    """
    priority = 'LOW'

    def __init__(self, out_dir: str, overview: int = 6, min_height: int = 192) -> None:
        self.out_dir = Path(out_dir)
        self.overview = overview
        self.min_height = min_height
        self._rows = []

    def before_test(self, runner: Runner) -> None:
        self.out_dir.mkdir(parents=True, exist_ok=True)
        self._cascade = unwrap(runner.model)
        # the host's own drawing, without its storage
        self._visualizer = VISUALIZERS.build(dict(runner.cfg.visualizer, name='sr4ir_mm_panel', vis_backends=None))
        self._visualizer.dataset_meta = runner.test_dataloader.dataset.metainfo

    def after_test_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs: Sequence = ()) -> None:
        for sample in outputs:
            row = self._draw(sample)
            name = Path(getattr(sample, 'img_path', f'{batch_idx}')).stem
            self._write(name, [row])
            if len(self._rows) < self.overview:
                self._rows.append(row)

    def after_test(self, runner: Runner) -> None:
        if self._rows:
            path = self._write('overview', self._rows)
            runner.logger.info(f'Pictures are in {self.out_dir}, the first {len(self._rows)} together in {path}')

    def _draw(self, sample) -> dict:
        """The tiles of one image by their titles, uint8 RGB, all of the same size."""
        sr = _to_uint8(sample.sr)
        hr = _to_uint8(sample.hr) if 'hr' in sample else None
        zoom = max(1, -(-self.min_height // sr.shape[0]))
        size = (sr.shape[1] * zoom, sr.shape[0] * zoom)
        tiles = dict(LR=_to_uint8(sample.lr)) if 'lr' in sample else {}
        tiles['SR'] = sr
        if hr is not None:
            tiles['HR'] = hr
        tiles['prediction on SR'] = self._annotate(sr, sample, draw_gt=False)
        if hr is not None:
            tiles['ground truth'] = self._annotate(hr, sample, draw_pred=False)
        return {title: cv2.resize(tile, size, interpolation=cv2.INTER_NEAREST) for title, tile in tiles.items()}

    def _annotate(self, image: np.ndarray, sample, **kwargs) -> np.ndarray:
        return self._cascade.draw(self._visualizer, image, sample.cpu(), **kwargs)

    def _write(self, name: str, rows: Sequence[dict]) -> Path:
        gap, title_height = 6, 28
        width = max(sum(tile.shape[1] + gap for tile in row.values()) + gap for row in rows)
        height = title_height + sum(next(iter(row.values())).shape[0] + gap for row in rows)
        canvas = np.full((height, width, 3), 255, np.uint8)
        top = title_height
        for row in rows:
            left = gap
            for title, tile in row.items():
                if top == title_height:
                    cv2.putText(canvas, title, (left, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.55, (0, 0, 0), 1, cv2.LINE_AA)
                canvas[top:top + tile.shape[0], left:left + tile.shape[1]] = tile
                left += tile.shape[1] + gap
            top += tile.shape[0] + gap
        path = self.out_dir / f'{name}.png'
        if not cv2.imwrite(str(path), canvas[..., ::-1]):
            raise OSError(f'The picture {path} cannot be written.')
        return path


def _to_uint8(image: Tensor) -> np.ndarray:
    """(3, H, W), RGB in [0, 1] -> (H, W, 3), 8 bits."""
    return (image.detach().clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()
