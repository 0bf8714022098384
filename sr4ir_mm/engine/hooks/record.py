"""The hook that records time, memory and predictions of a run."""

import json
import math
import resource
import time
from pathlib import Path
from typing import List, Optional, Sequence, Tuple

import torch
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import BaseLoop, Runner

from sr4ir_mm.evaluation.per_image import per_image
from sr4ir_mm.evaluation.predictions import FILE_NAMES, save_predictions
from sr4ir_mm.registry import HOOKS
from sr4ir_mm.utils.files import write_json


def peak_memory() -> Tuple[float, str]:
    """The most memory that this process has had so far, in MiB, and what it is: ``GPU`` or ``RSS``."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**20, 'GPU'
    try:
        # not ru_maxrss: a new process inherits that from the one which started it
        status = Path('/proc/self/status').read_text()
        return int(status.split('VmHWM:')[1].split()[0]) / 2**10, 'RSS'
    except (OSError, IndexError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10, 'RSS'


@HOOKS.register_module()
class RunRecordHook(Hook):
    """Write down, as JSON, how far a run is, what it costs and what comes out of it.

    The keys are ``iter``, ``max_iters``, ``seconds`` (of training, without validation; a resumed run counts on from its
    checkpoint), ``peak_memory`` (MiB) with ``memory_kind`` (see :func:`peak_memory`), ``finished``, and ``metrics``: of
    the weights that the training ends with, from its last validation or from a test. What was predicted for each image,
    of which these figures are made, is beside it, compressed: see :mod:`sr4ir_mm.evaluation.predictions`.

    Args:
        out_file: Path of the JSON file.
        interval: Seconds between two updates.
    """

    # the logger resets the GPU's high-water mark, so this comes first
    priority = 'VERY_HIGH'

    def __init__(self, out_file: str, interval: float = 1.0) -> None:
        self.out_file = Path(out_file)
        self.interval = interval
        self._seconds = 0.0
        self._started: Optional[float] = None
        self._written: Optional[float] = None
        self._peak = 0.0
        self._metrics: Optional[dict] = None
        self._images: List[str] = []

    def before_train_epoch(self, runner: Runner) -> None:
        if self._started is None:  # a dry run comes before, and does not count
            self._started = time.monotonic()

    def before_val(self, runner: Runner) -> None:
        self._pause()

    def after_val(self, runner: Runner) -> None:
        self._started = time.monotonic()

    def after_val_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs: Sequence = ()) -> None:
        self._keep(runner.val_loop, batch_idx, outputs)

    def after_test_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs: Sequence = ()) -> None:
        self._keep(runner.test_loop, batch_idx, outputs)

    def _keep(self, loop: BaseLoop, batch_idx: int, outputs: Sequence) -> None:
        """Write the predictions after the last batch, when the metrics have all and have not yet forgotten them."""
        self._images = [*(self._images if batch_idx else []), *map(_image_name, outputs)]
        if batch_idx + 1 == len(loop.dataloader):
            arrays = per_image(loop.evaluator.metrics, self._images, len(loop.dataloader.dataset))
            if arrays:
                save_predictions(self.out_file.with_name(FILE_NAMES['metrics']), arrays)

    def after_val_epoch(self, runner: Runner, metrics: Optional[dict] = None) -> None:
        self._metrics = _plain(metrics)

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        self._metrics = None  # those of an earlier validation belong to other weights
        self._peak = max(self._peak, peak_memory()[0])
        if self._written is None or time.monotonic() - self._written > self.interval:
            self._write(runner, runner.iter + 1, finished=False)

    def after_train(self, runner: Runner) -> None:
        self._pause()
        self._write(runner, runner.iter, finished=True)

    def after_test_epoch(self, runner: Runner, metrics: Optional[dict] = None) -> None:
        if is_main_process():
            record = json.loads(self.out_file.read_text()) if self.out_file.exists() else {}
            write_json(self.out_file, dict(record, metrics=_plain(metrics)))

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        checkpoint['run_record'] = dict(seconds=self._elapsed(), peak=self._peak)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        if runner._resume:
            record = checkpoint.get('run_record', {})
            self._seconds, self._peak = record.get('seconds', 0.0), record.get('peak', 0.0)

    def _elapsed(self) -> float:
        return self._seconds + (time.monotonic() - self._started if self._started is not None else 0.0)

    def _pause(self) -> None:
        self._seconds, self._started = self._elapsed(), None

    def _write(self, runner: Runner, done: int, finished: bool) -> None:
        if not is_main_process():
            return
        peak, kind = peak_memory()
        record = dict(
            iter=done,
            max_iters=runner.max_iters,
            seconds=round(self._elapsed(), 2),
            peak_memory=round(max(self._peak, peak), 1),
            memory_kind=kind,
            finished=finished,
        )
        if self._metrics is not None:
            record['metrics'] = self._metrics
        write_json(self.out_file, record)
        self._written = time.monotonic()


def _image_name(sample) -> str:
    """Return the image's file with its folder, which names it on any machine."""
    path = sample.get('img_path') if hasattr(sample, 'get') else None
    return '/'.join(Path(path).parts[-2:]) if path else ''


def _plain(metrics: Optional[dict]) -> dict:
    """Numbers as JSON has them: infinity, the PSNR of equal images, has to be a string."""
    values = {name: float(value) for name, value in (metrics or {}).items()}
    return {name: value if math.isfinite(value) else str(value) for name, value in values.items()}
