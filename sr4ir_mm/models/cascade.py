import contextlib
from typing import Callable, Dict, Iterator, List, Optional, Sequence, Set, Tuple, Union

import numpy as np
import torch
from mmengine.logging import print_log
from mmengine.model import BaseModel, initialize
from torch import Tensor, nn

from sr4ir_mm.checkpoints import check_doors, check_nested, load_part, use_safe_loader
from sr4ir_mm.errors import ConfigError, check_choice
from sr4ir_mm.registry import MODELS

from .batch import Batch, blend, copy_sample
from .cpu_ops import quicken_on_cpu
from .data_preprocessor import CascadeDataPreprocessor, RecognizerInput
from .degradations import image_generator
from .efficiency import (
    checkpoint_activations,
    fold_batch_norm,
    gains_channels_last,
    keep_float32,
    quicken_heads,
    quicken_window_attention,
    to_float32,
    try_channels_last,
)
from .padding import pad_to_multiple, pad_to_size
from .phases import Phase, only_training


class Cascade(BaseModel):
    """A restoration network in front of a recognition network.

    Between the parts an image batch is RGB, float, in [0, 1], (N, 3, H, W): ``lr`` (degraded), ``sr`` (restored, not
    clamped) and ``hr`` (clean). Its subclasses name the task; the phases of training come from the loop.

    Args:
        scale: Factor from ``lr`` to ``hr``.
        restorer: A network (N, 3, h, w) -> (N, 3, s·h, s·w), or its config; any of mmagic. None: ``hr`` goes straight
            into the recognizer. An ``init_cfg`` in the config works for networks too that do not know it themselves.
            One of type ``Pretrained``, here and in the recognizer's config, takes ``checkpoint``, ``prefix`` and
            ``reinit`` as :func:`sr4ir_mm.checkpoints.load_part` has them.
        recognizer: A model of the host library, or its config as it stands there. None: only the restorer is trained.
        degradation: What makes ``lr`` from ``hr``, or its config; called with the images and, in evaluation, with the
            random generator of each. None: the data set brings ``lr``, or none is needed.
        img_range: The value range that the restorer works in, 1 or 255; its input is multiplied, its output divided.
        restorer_with_cp: Whether the restorer keeps the activations between its blocks only and computes the others again
            in the backward: less memory, for one more forward.
        channels_last: The parts whose feature maps lie in memory channels last, for example ``['restorer']``; the numbers
            are the same but for rounding. None: on machines without a GPU, those that are known to be faster so, the
            recognizer only if a training step and a prediction on random images work.
        efficient_conv_bn_eval: Whether batch norms of the recognizer's backbone that are in eval mode are calculated
            together with the convolutions before them, see :mod:`mmengine.model.efficient_conv_bn_eval`.
        efficient_attention: Whether mmagic's SwinIR shares its masks and attends by PyTorch's own attention where there are no
            gradients; the numbers are the same but for rounding.
        efficient_cpu_ops: Whether depthwise convolutions and RoIAlign on a CPU are calculated by what is fast there; the
            numbers are the same but for rounding.
        efficient_heads: Whether mmseg's heads leave out the accuracy of training batches, which no log here has; losses and
            predictions are the same.
        compile: For each part that ``torch.compile`` is to translate, its arguments, for example ``dict(restorer=dict())``;
            of the recognizer it is the backbone.
        pixel: A loss (input, target) -> scalar for the loss term ``pixel``, or its config, for example
            ``dict(type='torch.nn.MSELoss')``. Default: the mean absolute difference.
        tdp: Config of the task-driven perceptual loss, needed for the loss term ``tdp``.
        noise_seed: Another number lets a random degradation draw something else for each image in evaluation.
        embedding: The embedding network of contrastive learning, or its config; needed for the loss terms ``embedding``
            and ``contrastive``.
        contrastive: Config of these two losses; by default as PCL-SR has them.
        data_preprocessor: Config of the host's data preprocessor, where it is not in the recognizer's config.
        init_cfg: As of :class:`mmengine.model.BaseModule`.
    """

    #: scope of the library that the recognizer comes from
    host: str
    #: what the recognizer's `extract_feat` is told besides the image
    feature_args: Dict[str, str] = {}
    #: how images are filled up to a multiple of the scale
    pad_mode = 'replicate'
    #: the loss terms, and the parts that each can teach
    terms: Dict[str, Tuple[str, ...]] = dict(
        pixel=('restorer',),
        tdp=('restorer',),
        contrastive=('restorer',),
        embedding=('embedding',),
        task_sr=('restorer', 'recognizer'),
        task_hr=('recognizer',),
        task_cqmix=('restorer', 'recognizer'),
    )

    def __init__(
        self,
        scale: int,
        restorer: Union[nn.Module, dict, None] = None,
        recognizer: Union[nn.Module, dict, None] = None,
        degradation: Union[nn.Module, dict, None] = None,
        img_range: float = 1.0,
        restorer_with_cp: bool = False,
        channels_last: Optional[Sequence[str]] = None,
        efficient_conv_bn_eval: bool = False,
        efficient_attention: bool = True,
        efficient_cpu_ops: bool = True,
        efficient_heads: bool = True,
        compile: Optional[Dict[str, dict]] = None,
        pixel: Union[nn.Module, dict, None] = None,
        tdp: Optional[dict] = None,
        noise_seed: int = 0,
        embedding: Union[nn.Module, dict, None] = None,
        contrastive: Optional[dict] = None,
        data_preprocessor: Optional[dict] = None,
        init_cfg: Optional[dict] = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        use_safe_loader()  # before any host library asks MMEngine for a file
        if not isinstance(scale, int) or scale < 1:
            raise ConfigError(f'model.scale is {scale!r}; allowed: a whole number from 1.')
        self.scale = scale
        self.img_range = img_range
        self.degradation = _build(degradation, 'model.degradation')
        #: what the config says of the parts' first weights, where this class and not the part does it
        self.init_cfgs: Dict[str, dict] = {}
        restorer = self._take_init_cfg('restorer', restorer)
        self.restorer = _build(restorer, 'model.restorer')
        self._check_scale()
        if self.restorer is not None:
            if efficient_attention:
                quicken_window_attention(self.restorer)
            if restorer_with_cp:
                checkpoint_activations(self.restorer)

        if isinstance(recognizer, dict):
            recognizer = self._take_init_cfg('recognizer', recognizer)
            recognizer.setdefault('_scope_', self.host)
            if data_preprocessor is not None:
                recognizer.setdefault('data_preprocessor', data_preprocessor)
        self.recognizer = _build(recognizer, 'model.recognizer')
        if self.recognizer is not None:
            keep_float32(self.recognizer)
            if efficient_heads:
                quicken_heads(self.recognizer)
            preprocessor = self.recognizer.data_preprocessor
        else:
            preprocessor = _build(dict(data_preprocessor or {}, _scope_=self.host), 'model.data_preprocessor')
        self.data_preprocessor = CascadeDataPreprocessor(preprocessor, self.pad_mode, scale)
        self.recognizer_input = RecognizerInput(preprocessor)
        self.pixel = _build(pixel, 'model.pixel') or nn.L1Loss()
        self.noise_seed = noise_seed
        self.tdp = _build(dict(dict(type='sr4ir_mm.TDPLoss'), **tdp) if tdp is not None else None, 'model.tdp')
        if embedding is None and contrastive is not None:
            raise ConfigError(
                'model.contrastive is set, but model.embedding is not; set both or none, for example '
                "embedding=dict(type='sr4ir_mm.FrequencyEmbedding')."
            )
        self.embedding = _build(self._take_init_cfg('embedding', embedding), 'model.embedding')
        contrastive = dict(dict(type='sr4ir_mm.ContrastiveLoss'), **(contrastive or {}))
        self.contrastive = _build(contrastive if embedding is not None else None, 'model.contrastive')

        if efficient_cpu_ops:
            quicken_on_cpu(self)
        for name in channels_last or ():
            check_choice(name, self.parts, 'a part in model.channels_last')
        self._channels_last = self._choose_channels_last() if channels_last is None else channels_last
        self._set_memory_format()
        if efficient_conv_bn_eval and self.recognizer is not None:
            fold_batch_norm(self.recognizer.backbone)
        for name, arguments in (compile or {}).items():
            part = self.parts[check_choice(name, self.parts, 'a part in model.compile')]
            (part.backbone if name == 'recognizer' else part).compile(**arguments)

        #: what `train_step` does; the training loop sets it
        self.phases: Optional[List[Phase]] = None

    def _choose_channels_last(self) -> List[str]:
        """Return the parts that are faster channels last, and work so: not every head of the host libraries does."""
        if torch.cuda.is_available():
            return []
        chosen = [name for name, part in self.parts.items() if gains_channels_last(part)]
        if 'recognizer' in chosen:
            samples = self.example_samples(2, 64, 64)
            error = try_channels_last(self.recognizer, samples) if samples else 'its task has no samples to try it with'
            if error:
                chosen.remove('recognizer')
                print_log(
                    f'The recognizer ({type(self.recognizer).__name__}) does not work with feature maps that lie '
                    f'channels last ({error}); they lie as usual.',
                    'current',
                )
        return chosen

    def _set_memory_format(self) -> None:
        for name in self._channels_last:
            self.parts[name].to(memory_format=torch.channels_last)

    def _check_scale(self) -> None:
        """Compare the scale with what degradation and restorer do, on an empty image."""
        scale = getattr(self.degradation, 'scale', self.scale)
        if scale != self.scale:
            raise ConfigError(
                f'model.degradation shrinks by {scale}, but model.scale is {self.scale}; ' 'both must be the same.'
            )
        if self.restorer is None:
            return
        mode, size = self.restorer.training, max(16, getattr(self.restorer, 'window_size', 0))
        try:
            with torch.no_grad():
                out = self.restorer.eval()(torch.zeros(1, 3, size, size))
        except Exception as error:
            raise ConfigError(
                f'model.restorer ({type(self.restorer).__name__}) cannot restore one batch of images; '
                'allowed: networks from (N, 3, h, w) to (N, 3, s·h, s·w), for RGB, without further inputs '
                f'({type(error).__name__}: {error}).'
            ) from error
        self.restorer.train(mode)
        if not isinstance(out, Tensor) or out.shape[:2] != (1, 3):
            raise ConfigError(
                f'model.restorer ({type(self.restorer).__name__}) does not return RGB images; '
                'allowed: networks from (N, 3, h, w) to (N, 3, s·h, s·w).'
            )
        if getattr(self.restorer, 'padding', None) == 'valid':
            raise ConfigError(
                f"model.restorer.padding is 'valid', which takes {size - out.shape[-1]} pixels off an "
                "image; allowed in a cascade: 'same'."
            )
        if out.shape[-1] != self.scale * size:
            raise ConfigError(
                f'model.restorer ({type(self.restorer).__name__}) enlarges by {out.shape[-1] / size:g}, '
                f'but model.scale is {self.scale}; both must be the same.'
            )

    @property
    def parts(self) -> Dict[str, nn.Module]:
        """The networks of the cascade by the names that a phase uses."""
        parts = dict(restorer=self.restorer, recognizer=self.recognizer, embedding=self.embedding)
        return {name: part for name, part in parts.items() if part is not None}

    @property
    def trainable_parts(self) -> Dict[str, nn.Module]:
        """The parts that have parameters and are not made to stay as they are."""
        learning = {name: part for name, part in self.parts.items() if not getattr(part, 'frozen', False)}
        return {name: part for name, part in learning.items() if any(True for _ in part.parameters())}

    def _take_init_cfg(self, name: str, part):
        """Keep what ``init_cfg`` says: not every network knows it, and none tells what it has loaded."""
        if not isinstance(part, dict):
            return part
        part = dict(part)
        if name == 'restorer' or _is_pretrained(part.get('init_cfg')):
            init_cfg = part.pop('init_cfg', None)
            if init_cfg is not None:
                self.init_cfgs[name] = init_cfg
        return part

    def init_weights(self) -> None:
        """Initialize each part by its own ``init_cfg``, then the whole by that of the cascade."""
        self.to(memory_format=torch.contiguous_format)  # or a seed would give other weights, in another order
        for name, init_cfg in self.init_cfgs.items():
            if _is_pretrained(init_cfg):
                self._load_part(name)
            else:
                initialize(self.parts[name], init_cfg)
            # or the network's own init_weights would overwrite what was just loaded
            self.parts[name]._is_init = True
        for name, part in self.parts.items():
            if not getattr(part, '_is_init', False):
                check_nested(part, f'model.{name}')
        super().init_weights()
        self._set_memory_format()

    def load_pretrained(self) -> None:
        """Fill each part, wholly, from the checkpoint that its ``init_cfg`` names: to test what was trained apart.

        Raises:
            ConfigError: A part with parameters has no such ``init_cfg``.
            CheckpointError: Its checkpoint lacks some of them.
        """
        for name in self.trainable_parts:
            if name == 'embedding':
                continue  # testing does without it
            if name not in self.init_cfgs and getattr(self.parts[name], 'pretrained', False):
                continue  # its weights came when it was built
            if not _is_pretrained(self.init_cfgs.get(name)):
                raise ConfigError(
                    f'model.{name}.init_cfg does not say where the weights come from, and no checkpoint '
                    f"of the whole is given; set dict(type='Pretrained', checkpoint=…) or give one."
                )
            self._load_part(name, whole=True)

    def _load_part(self, name: str, whole: bool = False) -> None:
        key, args = f'model.{name}.init_cfg', dict(self.init_cfgs[name])
        args.pop('type')
        args.pop('map_location', None)
        for arg in args:
            check_choice(arg, ('checkpoint', 'prefix', 'reinit'), f'a key of {key}')
        if whole and args.get('reinit'):
            raise ConfigError(f'{key}.reinit leaves {args["reinit"]} at random, but a test needs all weights.')
        load_part(self.parts[name], key=key, whole=whole, **args)

    # ---------- from image to image

    def degrade(self, hr: Tensor, sizes: Sequence = (), names: Sequence[Optional[str]] = ()) -> Tensor:
        """Make ``lr`` from ``hr``, padded to a multiple of the scale.

        Args:
            hr: Clean images, shape (N, 3, H, W).
            sizes: Height and width of each image without its padding.
            names: The path of each image, in evaluation: each is then degraded alone, at its own size and with its own
                random generator, so that it does not depend on the batch what becomes of it.

        Returns:
            Shape (N, 3, ⌈H/s⌉, ⌈W/s⌉).
        """
        if self.degradation is None:
            raise ConfigError(
                'model.degradation is not set and the data set packs no `lr`; one of them must be, '
                'see docs/datasets.md.'
            )
        if not names:
            return self.degradation(pad_to_multiple(hr, self.scale, self.pad_mode))
        lr = []
        for image, (height, width), name in zip(hr, sizes, names):
            generator = None if name is None else image_generator(name, self.noise_seed)
            image = pad_to_multiple(image[None, :, :height, :width], self.scale, self.pad_mode)
            lr.append(self.degradation(image, generator))
        height, width = (-(-side // self.scale) for side in hr.shape[-2:])
        return torch.cat([pad_to_size(image, height, width, self.pad_mode) for image in lr])

    def restore(self, lr: Tensor, hr: Optional[Tensor] = None) -> Tensor:
        """Make ``sr`` from ``lr``, cropped to the size of ``hr`` where there is one."""
        window = getattr(self.restorer, 'window_size', 1)
        if min(lr.shape[-2:]) < window:
            raise ConfigError(
                f'The low-resolution image is {lr.shape[-2]}×{lr.shape[-1]} pixels, but the restorer '
                f'({type(self.restorer).__name__}) has windows of {window}; use images of at least '
                f'{window * self.scale} pixels before they are degraded.'
            )
        # contiguous: not all recognizers work with channels last
        sr = to_float32(self.restorer(lr * self.img_range)).contiguous() / self.img_range
        return sr if hr is None else sr[..., : hr.shape[-2], : hr.shape[-1]]

    def recognizer_view(self, image: Tensor, batch: Batch) -> Tuple[Tensor, Optional[List]]:
        """What the recognizer sees of an image batch of the size of ``hr``, and the samples that describe it."""
        return self.recognizer_input(image, batch.sizes), batch.data_samples

    def extract_features(self, image: Tensor, batch: Batch) -> Sequence[Tensor]:
        """The feature maps of the recognizer, without its heads."""
        return self.recognizer.extract_feat(self.recognizer_view(image, batch)[0], **self.feature_args)

    def recognize(self, image: Tensor, batch: Batch) -> List:
        """The samples of a batch with the recognizer's predictions on these images."""
        return self.recognizer.predict(*self.recognizer_view(image, batch))

    # ---------- one method for each loss term

    def loss_pixel(self, batch: Batch) -> Tensor:
        """Difference of ``sr`` and ``hr``, values in [0, 1], by ``model.pixel``."""
        return self.pixel(batch.sr, batch.hr)

    def loss_tdp(self, batch: Batch) -> Tensor:
        """Distance of ``sr`` and ``hr`` in the recognizer's features."""
        if self.tdp is None:
            raise ConfigError(
                'A phase has the loss `tdp`, but model.tdp is not set; '
                'name the features, for example tdp=dict(features=[-1], weights=[1.0]).'
            )
        with torch.no_grad():
            hr_features = self.tdp.select(self.extract_features(batch.hr, batch))
        return self.tdp(self.tdp.select(self.extract_features(batch.sr, batch)), hr_features)

    def loss_contrastive(self, batch: Batch) -> Tensor:
        """Distance of ``sr`` from good images, against that from bad ones, in the features of the embedding network."""
        self._check_embedding('contrastive')
        # in a joint phase too: the embedding network shall not learn to please the restorer
        with only_training(dict(embedding=self.embedding), ()):
            return self.contrastive(self.embedding, batch.sr, batch.hr, batch.lr, self.scale)

    def loss_embedding(self, batch: Batch) -> Tensor:
        """How badly the embedding network tells clean images from restored ones."""
        self._check_embedding('embedding')
        return self.contrastive.embedding_loss(self.embedding, batch.sr, batch.hr)

    def _check_embedding(self, term: str) -> None:
        if self.embedding is None:
            raise ConfigError(
                f'A phase has the loss `{term}`, but model.embedding is not set; '
                "set for example embedding=dict(type='sr4ir_mm.FrequencyEmbedding')."
            )
        if term == 'embedding' and getattr(self.embedding, 'frozen', False):
            raise ConfigError(
                f'A phase has the loss `embedding`, but model.embedding ({type(self.embedding).__name__}) '
                'does not learn; leave the loss and its phase out.'
            )

    def loss_task_sr(self, batch: Batch) -> Tensor:
        """The recognizer's own loss on ``sr``."""
        return self._task_loss(batch.sr, batch)

    def loss_task_hr(self, batch: Batch) -> Tensor:
        """The recognizer's own loss on ``hr``."""
        return self._task_loss(batch.hr, batch)

    def loss_task_cqmix(self, batch: Batch) -> Tensor:
        """The recognizer's own loss on a patchwork of ``sr`` and ``hr``."""
        if batch.cqmix_grid is None:
            raise ConfigError(
                'A phase has the loss `task_cqmix`, but the samples have no `cqmix_grid`; '
                "append dict(type='sr4ir_mm.CQMix') to the pipeline, behind the packing transform."
            )
        return self._task_loss(blend(batch.sr, batch.hr, batch.cqmix_grid), batch)

    def _task_loss(self, image: Tensor, batch: Batch) -> Tensor:
        image, samples = self.recognizer_view(image, batch)
        # the next loss needs them as they are, but some heads change what they are given
        losses = self.recognizer.loss(image, [copy_sample(sample) for sample in samples])
        return self.parse_losses(losses)[0]

    # ---------- what the task defines

    @property
    def num_classes(self) -> Optional[int]:
        """Number of classes of the recognizer; None where it does not say."""
        raise NotImplementedError

    #: the label of what is ignored, or None
    ignore_index: Optional[int] = None

    def labels_of(self, data_sample) -> Iterator[Tensor]:
        """The class indices that a sample is annotated with, on the host."""
        raise NotImplementedError

    def example_samples(self, count: int, height: int, width: int) -> List:
        """Make annotated samples of the host library for images of this size, to try the recognizer with.

        A task that makes none has its recognizer's maps lie as usual.
        """
        return []

    def logits(self, image: Tensor) -> Tensor:
        """The output of the recognizer's head for normalized images, before anything that depends on what is found."""
        raise ConfigError(
            f'{type(self.recognizer).__name__} cannot be exported as a whole: how many objects a detector '
            'finds, and what it does to find them, depends on the image. Export --part restorer; '
            'tools/infer.py --onnx lets the detector run in PyTorch behind it.'
        )

    def predict_from_logits(self, logits: Tensor, batch: Batch) -> List:
        """The samples of a batch with the predictions that follow from :meth:`logits`."""
        raise NotImplementedError

    def prediction(self, sample, classes: Sequence[str], coordinates: str = 'sr') -> dict:
        """What the recognizer says of one image.

        Args:
            sample: A sample that :meth:`forward` has predicted for.
            classes: Names of the classes.
            coordinates: ``sr`` or ``lr``: the image whose pixels boxes, masks and label maps count.

        Returns:
            Plain numbers and lists, and label maps or masks as arrays; empty without a recognizer.
        """
        return {}

    def draw(self, visualizer, image: np.ndarray, sample, **kwargs) -> np.ndarray:
        """Draw what a sample knows onto its image.

        Args:
            visualizer: The visualizer of the host library.
            image: (H, W, 3), RGB, 8 bits.
            sample: A sample as of :meth:`at_size`, for the size of the image.
            **kwargs: ``draw_gt=False`` or ``draw_pred=False``.
        """
        visualizer.set_image(image)
        visualizer.add_datasample('panel', image, sample, show=False, **kwargs)
        return visualizer.get_image()

    def at_size(self, sample, height: int, width: int, gt_shape: Sequence[int]):
        """Copy a sample, with predictions and ground truth that fit its image in another size.

        Args:
            sample: A sample as :meth:`forward` returns it.
            height: Of the image to draw on.
            width: Of the image to draw on.
            gt_shape: Height and width of the image whose pixels the annotated boxes and masks count.
        """
        return sample

    def caption(
        self, sample, classes: Sequence[str], draw_gt: bool = True, draw_pred: bool = True
    ) -> Tuple[str, Optional[bool]]:
        """What to write below a picture of what a sample knows, and whether it is right, where that can be said."""
        return '', None

    def drawn_labels(self, sample) -> Set[int]:
        """The classes that :meth:`draw` shows by a color alone."""
        return set()

    # ---------- training and testing

    def train_step(self, data: dict, optim_wrapper, reduce_gradients: Optional[Callable] = None) -> Dict[str, Tensor]:
        """One iteration: every phase goes forward, backward and steps its optimizers.

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
        self.check_labels(data.get('data_samples'))
        logs = {}
        with optim_wrapper.iteration():
            data = self.data_preprocessor(data, True)
            batch = Batch(self, data_samples=data['data_samples'], **data['inputs'])
            for phase in self.phases:
                logs.update(self._run_phase(phase, batch, optim_wrapper, reduce_gradients))
        logs['loss'] = sum(logs.values())
        return logs

    def _run_phase(self, phase: Phase, batch: Batch, optim_wrapper, reduce_gradients) -> Dict[str, Tensor]:
        logs = {}
        batch.start_phase('restorer' in phase.update)
        with only_training(self.parts, phase.update, phase.train_mode):
            for loss in phase.losses:
                with optim_wrapper.autocast():
                    value = loss.weight * getattr(self, f'loss_{loss.term}')(batch)
                optim_wrapper.scale_loss(value).backward()
                logs[loss.log_name] = value.detach()
            batch.backward_to_restorer()
            optim_wrapper.step(phase.update, reduce_gradients)
        return logs

    def val_step(self, data: dict) -> List:
        """Predict for a batch from the dataloader."""
        self.check_labels(data.get('data_samples'))
        return super().val_step(data)

    test_step = val_step

    def check_labels(self, data_samples: Optional[Sequence]) -> None:
        """Refuse labels outside the classes: an index error on a CPU, the end of the process on a GPU."""
        if self.recognizer is None or self.num_classes is None:
            return
        for sample in data_samples or ():
            for labels in self.labels_of(sample):
                wrong = (labels < 0) | (labels >= self.num_classes)
                if self.ignore_index is not None:
                    wrong &= labels != self.ignore_index
                if wrong.any():
                    ignored = f', and {self.ignore_index} for what is ignored' if self.ignore_index is not None else ''
                    raise ConfigError(
                        f'The labels of {sample.img_path} have the values '
                        f'{labels[wrong].unique().tolist()}; the recognizer allows '
                        f'0 to {self.num_classes - 1}{ignored}.'
                    )

    def forward(self, inputs: dict, data_samples: Optional[List] = None, mode: str = 'tensor'):
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
            with torch.no_grad() if mode == 'predict' else contextlib.nullcontext():
                image = self.restore(batch.lr, batch.hr)
        if mode == 'predict':
            return self.predict(image, batch)
        if mode == 'loss':
            return self.recognizer.loss(*self.recognizer_view(image, batch))
        return self.recognizer(*self.recognizer_view(image, batch), mode='tensor')

    def predict(self, sr: Tensor, batch: Batch) -> List:
        """The samples of a batch with the predictions for these restored images, and the images themselves."""
        samples = batch.data_samples
        if self.recognizer is not None:
            samples = self.recognize(sr, batch)
        return self.attach_images(samples, sr, batch)

    def attach_images(self, samples: List, sr: Tensor, batch: Batch) -> List:
        """The samples of a batch with their images, without padding, as ``sr``, ``lr`` and ``hr``."""
        for index, (sample, (height, width)) in enumerate(zip(samples, batch.sizes)):
            sample.sr = sr[index, :, :height, :width]
            if self.restorer is not None:
                sample.lr = batch.lr[index, :, : -(-height // self.scale), : -(-width // self.scale)]
            if batch.hr is not None:
                sample.hr = batch.hr[index, :, :height, :width]
        return samples


def _is_pretrained(init_cfg: Union[dict, list, None]) -> bool:
    return isinstance(init_cfg, dict) and init_cfg.get('type') == 'Pretrained'


def coordinate_factors(sample, coordinates: str) -> Tuple[float, float]:
    """By how much (x, y) of a prediction is multiplied, to count the pixels of ``sr`` or ``lr``.

    Predictions come at the size that the sample calls the original one.
    """
    shrink = 1 if coordinates == 'sr' or 'lr' not in sample else round(sample.sr.shape[-1] / sample.lr.shape[-1])
    height, width = sample.ori_shape[:2]
    return sample.sr.shape[-1] / width / shrink, sample.sr.shape[-2] / height / shrink


def _build(part: Union[nn.Module, dict, None], key: str) -> Optional[nn.Module]:
    """Build a part from its config, in the scope of its own library, or take one that is built."""
    if part is None or isinstance(part, nn.Module):
        return part
    if not isinstance(part, dict):
        raise TypeError(f'{key} must be a module or its config, but is {type(part).__name__}.')
    part = dict(part)
    check_doors(part, key)
    scope, _, name = str(part.get('type', '')).partition('.')
    if name and scope != 'torch':  # which MMEngine finds, but is no scope
        part.setdefault('_scope_', scope)
    return MODELS.build(part)
