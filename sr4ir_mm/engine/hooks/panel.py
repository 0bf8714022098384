"""The hook that draws rows of pictures while a model is tested or validated."""

from pathlib import Path
from typing import Dict, List, Optional, Sequence, Set

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from sr4ir_mm.datasets import annotations_follow_image
from sr4ir_mm.registry import HOOKS
from sr4ir_mm.utils.images import make_writable, write_image
from sr4ir_mm.utils.runner import unwrap
from sr4ir_mm.visualization import PanelDrawer, Tile


@HOOKS.register_module()
class PanelHook(Hook):
    """Draw images as rows of pictures, see :class:`~sr4ir_mm.visualization.PanelDrawer`.

    Args:
        out_dir: Folder for the pictures of a test, one PNG for each image; None: a test draws nothing.
        overview: So many rows of a test, from all over the data set, also go into one picture, ``overview.png``.
        num_val: In each validation, the first so many images go to the backends of the visualizer.
        **kwargs: See :class:`~sr4ir_mm.visualization.PanelDrawer`.
    """

    priority = 'LOW'

    def __init__(self, out_dir: Optional[str] = None, overview: int = 6, num_val: int = 0, **kwargs) -> None:
        self.out_dir = Path(out_dir) if out_dir else None
        self.overview = overview
        self.num_val = num_val
        self._drawer_args = kwargs

    def _drawer(self, runner: Runner, loader):
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
            self._rows: List[List[Tile]] = []
            self._labels: Set[int] = set()
            self._names: Dict[str, Path] = {}
            self._seen = 0

    def after_test_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs: Sequence = ()) -> None:
        if self.out_dir is None:
            return
        for sample in outputs:
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
