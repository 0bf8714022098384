"""The cascade: it degrades, restores and recognizes, and runs the phases of an iteration."""

from typing import Any, Callable, Dict, List, Optional, Union

import torch
from mmengine.model import BaseModel
from torch import Tensor, nn

from sr4ir_mm.checkpoints import safe_loading
from sr4ir_mm.errors import ConfigError
from sr4ir_mm.registry import MODELS

from .batch import Batch
from .data_preprocessor import CascadeDataPreprocessor, RecognizerInput
from .degradations import degrade
from .losses import build_losses
from .phases import Phase, only_training
from .precision import keep_float32
from .restorers import RestorerAdapter
from .weights import build, init_parts, load_whole, take_init_cfg


@MODELS.register_module()
class Cascade(BaseModel):
    """A restoration network in front of a recognition network.

    Between the parts an image batch is RGB, float, in [0, 1], (N, 3, H, W): ``lr`` (degraded), ``sr`` (restored, not
    clamped) and ``hr`` (clean). What belongs to one task is in :attr:`task`; the phases of training come from the loop.

    Args:
        scale: Factor from ``lr`` to ``hr``.
        restorer: A network (N, 3, h, w) -> (N, 3, s·h, s·w), or its config; any of mmagic, of spandrel, or a
            :class:`~sr4ir_mm.models.restorers.Restorer`. None: ``hr`` goes straight into the recognizer. The config may
            have ``value_range``, 1 (default) or 255, the white that the network works with, and ``init_cfg``, though
            the network does not know it. One of type ``Pretrained``, here and in the recognizer's config, takes
            ``checkpoint``, ``prefix`` and ``reinit``, see :func:`sr4ir_mm.checkpoints.load_part`.
        recognizer: A model of the host library, or its config as it stands there. None: only the restorer is trained.
        degradation: A :class:`~sr4ir_mm.models.degradations.Degradation`, which makes ``lr`` from ``hr``, or its
            config. None: the data set brings ``lr``, or none is needed.
        losses: Configs of loss terms by name, see :func:`~sr4ir_mm.models.losses.build_losses`; ``pixel`` and the task
            losses need none.
        parts: Further networks by name, or their configs, for example ``embedding``. A part that no phase updates is
            frozen.
        task: Config of the :class:`~sr4ir_mm.models.tasks.Task`.
        data_preprocessor: Config of the host's data preprocessor, where it is not in the recognizer's config.
        init_cfg: See :class:`mmengine.model.BaseModule`.
    """

    #: the task of a cascade whose config names none
    task_type = 'sr4ir_mm.Task'

    def __init__(
        self,
        scale: int,
        restorer: Union[nn.Module, dict, None] = None,
        recognizer: Union[nn.Module, dict, None] = None,
        degradation: Union[nn.Module, dict, None] = None,
        losses: Optional[Dict[str, dict]] = None,
        parts: Optional[Dict[str, Union[nn.Module, dict]]] = None,
        task: Optional[dict] = None,
        data_preprocessor: Optional[dict] = None,
        init_cfg: Optional[dict] = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        if not isinstance(scale, int) or scale < 1:
            raise ConfigError(f'model.scale is {scale!r}; allowed: a whole number from 1.')
        self.scale = scale
        task = dict(dict(type=self.task_type), **(task or {}))
        kind = MODELS.get(task['type'])
        if kind is None:
            raise ConfigError(
                f"model.task.type is '{task['type']}', which is not registered in sr4ir_mm.registry.MODELS."
            )
        host = kind.host
        #: what the config says of the parts' first weights, where this class and not the part does it
        self.init_cfgs: Dict[str, dict] = {}
        with safe_loading():  # some networks load weights when they are built
            self.degradation: Any = build(degradation, 'model.degradation')
            if getattr(self.degradation, 'scale', scale) != scale:
                raise ConfigError(
                    f'model.degradation shrinks by {self.degradation.scale}, but model.scale is {scale}; '
                    'both must be the same.'
                )
            value_range = 1.0
            if isinstance(restorer, dict):
                restorer = dict(restorer)
                value_range = restorer.pop('value_range', 1.0)
            self.restorer: Any = self._build_part('restorer', restorer)
            self.restoration: Any = restorer and RestorerAdapter(self.restorer, scale, value_range)
            if isinstance(recognizer, dict):
                recognizer = dict(dict(_scope_=host), **recognizer)
                if data_preprocessor is not None:
                    recognizer.setdefault('data_preprocessor', data_preprocessor)
            self.recognizer: Any = self._build_part('recognizer', recognizer)
            for name, part in (parts or {}).items():
                if hasattr(self, name):
                    raise ConfigError(f"model.parts has '{name}', which a cascade has already; choose another name.")
                self.add_module(name, self._build_part(name, part, 'model.parts.'))
            self._part_names = ['restorer', 'recognizer', *(parts or {})]
            self.losses = build_losses(losses or {})
        if self.recognizer is None:
            preprocessor = build(
                dict(data_preprocessor or dict(type='ImgDataPreprocessor'), _scope_=host), 'model.data_preprocessor'
            )
        else:
            keep_float32(self.recognizer)
            preprocessor = self.recognizer.data_preprocessor
        self.recognizer_input = RecognizerInput(preprocessor)
        self.task = MODELS.build(dict(task, recognizer=self.recognizer, normalize=self.recognizer_input))
        self.data_preprocessor = CascadeDataPreprocessor(preprocessor, self.task.pad_mode, scale)
        self.task.prepare(self)
        #: what `train_step` does; the training loop sets it
        self.phases: Optional[List[Phase]] = None

    def _build_part(self, name: str, part: Union[nn.Module, dict, None], where: str = 'model.') -> Optional[nn.Module]:
        part, init_cfg = take_init_cfg(name, part)
        if init_cfg is not None:
            self.init_cfgs[name] = init_cfg
        return build(part, where + name)

    @property
    def parts(self) -> Dict[str, nn.Module]:
        """The networks of the cascade by the names that a phase uses."""
        parts = {name: getattr(self, name) for name in self._part_names}
        return {name: part for name, part in parts.items() if part is not None}

    @property
    def trainable_parts(self) -> Dict[str, nn.Module]:
        """The parts that have parameters and are not made to stay as they are."""
        learning = {name: part for name, part in self.parts.items() if not getattr(part, 'frozen', False)}
        return {name: part for name, part in learning.items() if any(True for _ in part.parameters())}

    def init_weights(self) -> None:
        """Initialize each part by its own ``init_cfg``, then the whole by that of the cascade."""
        with safe_loading():
            init_parts(self.parts, self.init_cfgs)
            super().init_weights()

    def load_pretrained(self) -> None:
        """Fill restorer and recognizer from their ``init_cfg``, see :func:`~sr4ir_mm.models.weights.load_whole`."""
        tested = ('restorer', 'recognizer')  # testing does without the others
        load_whole({name: part for name, part in self.trainable_parts.items() if name in tested}, self.init_cfgs)

    # ---------- from image to image

    def degrade(self, batch: Batch) -> Tensor:
        """Make the ``lr`` of a batch, shape (N, 3, ⌈H/s⌉, ⌈W/s⌉), see :func:`~sr4ir_mm.models.degradations.degrade`."""
        if self.degradation is None:
            raise ConfigError(
                'model.degradation is not set and the data set packs no `lr`; one of them must be, '
                'see docs/datasets.md.'
            )
        return degrade(self.degradation, batch.hr, batch.sizes, batch.names, self.task.pad_mode)

    def restore(self, batch: Batch) -> Tensor:
        """Make the ``sr`` of a batch, cropped to the size of ``hr`` where there is one."""
        inputs = {name: batch.field(name) for name in self.restoration.inputs}
        sr = self.restoration(batch.lr, inputs, batch.names)
        return sr if batch.hr is None else sr[..., : batch.hr.shape[-2], : batch.hr.shape[-1]]

    # ---------- training and testing

    def train_step(self, data: dict, optim_wrapper, reduce_gradients: Optional[Callable] = None) -> Dict[str, Tensor]:
        """Run one iteration: every phase goes forward, backward and steps its optimizers.

        Args:
            data: A batch from the dataloader.
            optim_wrapper: The :class:`~sr4ir_mm.engine.CascadeOptimWrapper`.
            reduce_gradients: Called with the parameters that are going to be stepped, where several processes train.

        Returns:
            Each loss by its log name, weight included, and their sum as ``loss``.
        """
        if self.phases is None:
            raise ConfigError(
                'A cascade needs a loop that knows its phases; allowed as train_cfg.type: '
                "'sr4ir_mm.AlternatingTrainLoop', 'sr4ir_mm.AlternatingIterTrainLoop'."
            )
        self.task.check_labels(data.get('data_samples'))
        logs: Dict[str, Tensor] = {}
        with optim_wrapper.iteration():
            data = self.data_preprocessor(data, True)
            batch = Batch(self, data_samples=data['data_samples'], **data['inputs'])
            for phase in self.phases:
                logs.update(self._run_phase(phase, batch, optim_wrapper, reduce_gradients))
        logs['loss'] = sum(logs.values())  # type: ignore[assignment]  # a tensor, as there is a loss
        return logs

    def _run_phase(self, phase: Phase, batch: Batch, optim_wrapper, reduce_gradients) -> Dict[str, Tensor]:
        logs = {}
        batch.start_phase('restorer' in phase.update)
        with only_training(self.parts, phase.update, phase.train_mode):
            for loss in phase.losses:
                with optim_wrapper.autocast():
                    value = loss.weight * self.losses[loss.term](self, batch)
                optim_wrapper.scale_loss(value).backward()
                logs[loss.log_name] = value.detach()
            batch.backward_to_restorer()
            optim_wrapper.step(phase.update, reduce_gradients)
        return logs

    def val_step(self, data: dict) -> List:
        """Predict for a batch from the dataloader."""
        self.task.check_labels(data.get('data_samples'))
        return super().val_step(data)

    test_step = val_step

    def forward(self, inputs: dict, data_samples: Optional[List] = None, mode: str = 'tensor') -> Any:
        """Restore and recognize.

        Args:
            inputs: The dict that the data preprocessor makes.
            data_samples: The host library's samples.
            mode: ``predict``: the samples with the recognizer's predictions and the images ``lr``, ``sr`` and ``hr``;
                ``loss``: the recognizer's losses on ``sr``; ``tensor``: its raw output on ``sr``.
        """
        batch = Batch(self, data_samples=data_samples, **inputs)
        if self.restorer is None:
            image = batch.hr
        else:
            with torch.set_grad_enabled(torch.is_grad_enabled() and mode != 'predict'):
                image = self.restore(batch)
        if mode == 'predict':
            return self.predict(image, batch)
        if mode == 'loss':
            return self.task.loss(image, batch)
        return self.recognizer(*self.task.view(image, batch), mode='tensor')

    def predict(self, sr: Tensor, batch: Batch) -> List:
        """Return the samples of a batch with the predictions for these restored images, and the images themselves."""
        samples = batch.data_samples if self.recognizer is None else self.task.recognize(sr, batch)
        return self.attach_images(samples, sr, batch)

    def attach_images(self, samples: List, sr: Tensor, batch: Batch) -> List:
        """Return the samples of a batch with their images, without padding, as ``sr``, ``lr`` and ``hr``."""
        for index, (sample, (height, width)) in enumerate(zip(samples, batch.sizes)):
            sample.sr = sr[index, :, :height, :width]
            if self.restorer is not None:
                sample.lr = batch.lr[index, :, : -(-height // self.scale), : -(-width // self.scale)]
            if batch.hr is not None:
                sample.hr = batch.hr[index, :, :height, :width]
        return samples


@MODELS.register_module()
class CascadeSegmentor(Cascade):
    """A restorer in front of any segmentor of mmseg."""

    task_type = 'sr4ir_mm.SegmentationTask'


@MODELS.register_module()
class CascadeDetector(Cascade):
    """A restorer in front of any detector or instance segmentor of mmdet."""

    task_type = 'sr4ir_mm.DetectionTask'


@MODELS.register_module()
class CascadeClassifier(Cascade):
    """A restorer in front of any classifier of mmpretrain."""

    task_type = 'sr4ir_mm.ClassificationTask'


@MODELS.register_module()
class CascadeRestorer(Cascade):
    """A restorer alone: the cascade without a recognizer."""
