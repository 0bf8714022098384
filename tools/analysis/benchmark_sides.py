"""What tools/analysis/benchmark.py compares: an iteration of this package, and the reference's."""

import contextlib
import copy
import importlib
import logging
import time
from collections import Counter
from pathlib import Path
from typing import Callable, Dict, Iterator, List, NamedTuple, Tuple

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData, PixelData
from torch import Tensor

from sr4ir_mm.engine.efficiency import apply_efficiency
from sr4ir_mm.engine.hooks.record import peak_memory
from sr4ir_mm.models.batch import Batch, blend, copy_sample
from sr4ir_mm.models.phases import build_phases, only_training
from sr4ir_mm.registry import MODELS

ROOT = Path(__file__).resolve().parents[2]


class Case(NamedTuple):
    """What is trained: a config, on images of a side, in a batch."""

    config: str
    side: int
    batch: int


def make_batch(host: str, side: int, batch: int) -> dict:
    """What a dataloader of the host library would collate, of noise."""
    rng = np.random.RandomState(0)
    info = dict(img_path='', img_shape=(side, side), ori_shape=(side, side), scale_factor=(1.0, 1.0))
    samples = []
    for index in range(batch):
        if host == 'mmseg':
            from mmseg.structures import SegDataSample

            sample = SegDataSample(metainfo=info)
            sample.gt_sem_seg = PixelData(data=torch.from_numpy(rng.randint(0, 10, (1, side, side))))
        elif host == 'mmdet':
            from mmdet.structures import DetDataSample

            sample = DetDataSample(metainfo=info)
            corners = torch.tensor([[0.1, 0.1, 0.5, 0.6], [0.3, 0.4, 0.9, 0.9]]) * side
            sample.gt_instances = InstanceData(bboxes=corners, labels=torch.tensor([1, 2]))
            sample.ignored_instances = InstanceData(bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long))
        else:
            from mmpretrain.structures import DataSample

            sample = DataSample(metainfo=info)
            sample.gt_label = torch.tensor([index % 10])
        samples.append(sample)
    return dict(
        inputs=[torch.from_numpy(rng.randint(0, 256, (3, side, side), dtype=np.uint8)) for _ in range(batch)],
        data_samples=samples,
        cqmix_grid=[torch.from_numpy(rng.randint(0, 2, (8, 8)).astype(np.float32)) for _ in range(batch)],
    )


#: the settings of `efficiency` that the reference has not
PLAIN = dict(channels_last=[], conv_bn_eval=False, cpu_ops=False)


class Side:
    """One variant of one case: its networks, its optimizers, its iteration.

    Args:
        case: What is trained.
        variant: ``reference``, or the precision in which the iteration of this package runs.
        **options: Keys of the config's `efficiency`.
    """

    def __init__(self, case: Case, variant: str, **options) -> None:
        MMLogger.get_instance('benchmark', log_level=logging.ERROR)
        cfg = Config.fromfile(
            ROOT / 'configs' / case.config
        )  # its pretrained weights are not loaded: speed is the same
        init_default_scope(cfg.default_scope)
        for library in (cfg.default_scope, 'mmagic'):
            importlib.import_module(f'{library}.models')
        self.libraries = peak_memory()[0]
        reference = variant == 'reference'
        if reference and cfg.model.get('restorer', {}).get('type') == 'sr4ir_mm.SwinIR':
            cfg.model.restorer.type = 'mmagic.SwinIRNet'
        torch.manual_seed(0)
        self.case, self.variant = case, variant
        self.model = MODELS.build(cfg.model).train()
        if torch.cuda.is_available():
            self.model.cuda()
        efficiency = PLAIN if reference else {**cfg.get('efficiency', {}), **options}
        apply_efficiency(self.model, **efficiency)
        self.phases = build_phases(cfg.train_cfg.phases, self.model)
        self.model.phases = self.phases
        self.optim_wrapper = build_optim_wrapper(
            self.model, dict(copy.deepcopy(cfg.optim_wrapper), amp='bfloat16' if variant == 'bfloat16' else None)
        )
        self.batch = make_batch(self.model.task.host, case.side, case.batch)
        self.iteration: Callable[[], None] = self._reference if reference else self._ours
        if reference:
            self._features: List = []
            recognizer = self.model.recognizer
            source = recognizer.neck if self.model.task.host == 'mmdet' else recognizer.backbone
            source.register_forward_hook(lambda module, args, output: self._features.append(output))

    def _copy_batch(self) -> dict:
        return dict(self.batch, data_samples=[copy_sample(sample) for sample in self.batch['data_samples']])

    def _ours(self) -> None:
        self.model.train_step(self._copy_batch(), self.optim_wrapper)

    def _whole_recognizer(self, image: Tensor, batch: Batch) -> List[Tensor]:
        """The features of the TDP loss as the reference gets them: all heads run along."""
        self._features.clear()
        image, samples = self.model.task.view(image, batch)
        self.model.recognizer.predict(image, [copy_sample(sample) for sample in samples])
        return self.model.losses.tdp.select(self._features[0])

    def _reference(self) -> None:
        model, wrapper = self.model, self.optim_wrapper
        data = model.data_preprocessor(self._copy_batch(), True)
        batch = Batch(model, data_samples=data['data_samples'], **data['inputs'])
        hr, lr = batch.hr, batch.lr
        restore, recognize = self.phases
        with only_training(model.parts, restore.update):
            sr = model.restoration(lr)
            loss = F.l1_loss(sr, hr)
            with torch.no_grad():
                hr_features = self._whole_recognizer(hr, batch)
            loss = loss + model.losses.tdp.compare(self._whole_recognizer(sr, batch), hr_features)
            wrapper['restorer'].zero_grad()
            loss.backward()
            wrapper['restorer'].step()
        graph = model.restoration(lr)  # with a graph that nobody needs
        sr = graph.detach()
        images = (sr, hr, blend(sr, hr, batch.field('cqmix_grid')))
        loss = sum(
            loss.weight * model.parse_losses(model.task.loss(image, batch))[0]
            for loss, image in zip(recognize.losses, images)
        )
        wrapper['recognizer'].zero_grad()
        loss.backward()
        wrapper['recognizer'].step()
        del graph

    # ---------- what the benchmark asks for

    def seconds(self) -> float:
        """Of one iteration."""
        return _seconds(self.iteration)

    def inference_seconds(self) -> float:
        """Of restoring and recognizing one batch."""
        model, data = self.model.eval(), self._copy_batch()
        with torch.no_grad(), torch.autocast(_device(), torch.bfloat16, enabled=self.variant == 'bfloat16'):
            seconds = _seconds(lambda: model.test_step(data))
        model.train()
        return seconds

    def memory(self) -> Dict[str, float]:
        """The most memory that there was, in MiB: of the process, of it beyond the libraries, and of tensors alone."""
        peak = peak_memory()[0]
        return {'process': peak, 'without libraries': peak - self.libraries, 'tensors': self.live_bytes()[0] / 2**20}

    def live_bytes(self) -> Tuple[int, int]:
        """What the tensors of an iteration take at most, and what of it is there before: weights and optimizers."""
        from torch.profiler import ProfilerActivity, profile

        states = [
            tensor
            for wrapper in self.optim_wrapper.values()
            for state in wrapper.optimizer.state.values()
            for tensor in state.values()
            if isinstance(tensor, Tensor)
        ]
        there = sum(tensor.nbytes for tensor in [*self.model.state_dict().values(), *states])
        with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
            self.iteration()
        now = peak = 0
        for event in record.profiler.kineto_results.events():
            if event.name() == '[memory]':
                now += event.nbytes()
                peak = max(peak, now)
        return there + peak, there

    def profile(self) -> str:
        """The operations of an iteration that take longest, as PyTorch's profiler has them."""
        from torch.profiler import ProfilerActivity, profile

        with profile(activities=[ProfilerActivity.CPU]) as record:
            self.iteration()
        return record.key_averages().table(sort_by='self_cpu_time_total', row_limit=12, max_name_column_width=40)

    def bytes_per_image(self) -> Tuple[int, int]:
        """What the tensors of an iteration take at most: without images, and each image more."""
        few = self.case.batch
        less, more = (self._bytes_of(batch) for batch in (few, 2 * few))
        return 2 * less - more, (more - less) // few

    def _bytes_of(self, batch: int) -> int:
        self.batch = make_batch(self.model.task.host, self.case.side, batch)
        return self.live_bytes()[0]

    def breakdown(self) -> Dict[str, float]:
        """Seconds of an iteration of this package by what they are spent on; a backward belongs to its network."""
        clock = _Clock()
        model = self.model
        with contextlib.ExitStack() as stack:
            for owner, name, label in (
                (model, 'restore', 'restorer'),
                (Batch, 'backward_to_restorer', 'restorer'),
                (model.task, 'loss', 'recognizer'),
                (model.task, 'extract_features', 'recognizer'),
                (model.losses.pixel, 'forward', 'loss'),
                (model.losses.tdp, 'compare', 'loss'),
                (Tensor, 'backward', 'recognizer'),
                (self.optim_wrapper, 'step', 'optimizer'),
                (model.data_preprocessor, 'forward', 'data'),
                (model, 'degrade', 'data'),
            ):
                stack.enter_context(clock.measure(owner, name, label))
            with clock.running('rest'):
                self.iteration()
        return dict(clock.seconds)


def _device() -> str:
    return 'cuda' if torch.cuda.is_available() else 'cpu'


def _seconds(function: Callable) -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    start = time.perf_counter()
    function()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start


class _Clock:
    """Where the time goes; what runs within something else is not counted there."""

    def __init__(self) -> None:
        self.seconds: Counter = Counter()
        self._labels: List[str] = []
        self._since = 0.0

    def _switch(self) -> None:
        now = time.perf_counter()
        if self._labels:
            self.seconds[self._labels[-1]] += now - self._since
        self._since = now

    @contextlib.contextmanager
    def running(self, label: str) -> Iterator[None]:
        self._switch()
        self._labels.append(label)
        yield
        self._switch()
        self._labels.pop()

    @contextlib.contextmanager
    def measure(self, owner, name: str, label: str) -> Iterator[None]:
        """Let a function of an object or class be measured; a backward within something else belongs to that."""
        original, own = getattr(owner, name), name in vars(owner)

        def measured(*args, **kwargs):
            within = name == 'backward' and self._labels[-1] != 'rest'
            with self.running(self._labels[-1] if within else label):
                return original(*args, **kwargs)

        setattr(owner, name, measured)
        yield
        if own:
            setattr(owner, name, original)
        else:
            delattr(owner, name)
