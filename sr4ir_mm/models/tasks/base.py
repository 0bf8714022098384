"""The contract of a task: all that a cascade, its tools and its pictures ask about labels and predictions."""

from typing import Any, Dict, Iterator, List, Optional, Sequence, Set, Tuple

import numpy as np
from torch import Tensor, nn

from sr4ir_mm.errors import ConfigError
from sr4ir_mm.models.batch import Batch, copy_sample
from sr4ir_mm.models.data_preprocessor import RecognizerInput
from sr4ir_mm.registry import MODELS


@MODELS.register_module()
class Task:
    """All that one recognition task knows of its host library.

    A new task is a subclass, registered in ``MODELS`` and named in ``model.task=dict(type=…)``. Only :attr:`host`,
    :meth:`labels_of` and, where results are written, :meth:`prediction` have to be defined.

    Args:
        recognizer: The recognition model, or None where only a restorer is trained.
        normalize: Converts images between the parts to what the recognizer was made for.
    """

    #: scope of the library that the recognizer comes from
    host: str = 'mmengine'
    #: transform that packs a sample of the host library's pipelines
    packing: str = 'PackInputs'
    #: how images are padded to a multiple of the scale: ``replicate`` or ``reflect``
    pad_mode = 'replicate'
    #: the label of pixels or objects that are ignored, or None
    ignore_index: Optional[int] = None
    #: axes of :meth:`logits` beside the first that follow the size of the image, for exports
    logit_axes: Dict[int, str] = {}

    def __init__(self, recognizer: Optional[nn.Module], normalize: RecognizerInput) -> None:
        self.recognizer: Any = recognizer
        self.normalize = normalize

    # ---------- labels

    @property
    def num_classes(self) -> Optional[int]:
        """Return the number of classes of the recognizer, or None where it does not say."""
        return None

    def labels_of(self, sample) -> Iterator[Tensor]:
        """Yield the class indices that a sample is annotated with, on the host."""
        return iter(())

    def check_labels(self, samples: Optional[Sequence]) -> None:
        """Refuse labels outside the classes: an index error on a CPU, the end of the process on a GPU.

        Raises:
            ConfigError: The image, its values and the allowed ones.
        """
        if self.recognizer is None or self.num_classes is None:
            return
        for sample in samples or ():
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

    def example_samples(self, count: int, height: int, width: int) -> List:
        """Make annotated samples of the host library for images of this size, to try the recognizer with.

        Returns:
            The samples; none where the task makes none.
        """
        return []

    # ---------- recognition

    def prepare(self, cascade: nn.Module) -> None:
        """Adapt a cascade that has just been built, for example how its data preprocessor pads."""

    def view(self, image: Tensor, batch: Batch) -> Tuple[Tensor, Any]:
        """Return what the recognizer sees of an image batch of the size of ``hr``, and the samples that describe it."""
        return self.normalize(image, batch.sizes), batch.data_samples

    def extract_features(self, image: Tensor, batch: Batch) -> Sequence[Tensor]:
        """Return the feature maps of the recognizer, without its heads."""
        return self.recognizer.extract_feat(self.view(image, batch)[0])

    def loss(self, image: Tensor, batch: Batch) -> Dict[str, Tensor]:
        """Return the recognizer's own losses by name."""
        # the next loss needs the samples as they are, but some heads change what they are given
        image, samples = self.view(image, batch)
        return self.recognizer.loss(image, [copy_sample(sample) for sample in samples])

    def recognize(self, image: Tensor, batch: Batch) -> List:
        """Return the samples of a batch with the recognizer's predictions on these images."""
        return self.recognizer.predict(*self.view(image, batch))

    def logits(self, image: Tensor) -> Tensor:
        """Return the output of the recognizer's head for normalized images, for exports.

        Raises:
            ConfigError: It depends on what is found in the image.
        """
        raise ConfigError(
            f'{type(self.recognizer).__name__} cannot be exported as a whole: how many objects a detector '
            'finds, and what it does to find them, depends on the image. Export --part restorer; '
            'tools/infer.py --onnx runs the detector in PyTorch after it.'
        )

    def predict_from_logits(self, logits: Tensor, batch: Batch) -> List:
        """Return the samples of a batch with the predictions that follow from :meth:`logits`."""
        raise NotImplementedError

    # ---------- results and pictures

    def prediction(self, sample, classes: Sequence[str], coordinates: str = 'sr') -> Dict[str, Any]:
        """Return what the recognizer says of one image as plain numbers and lists; label maps and masks as arrays.

        Args:
            sample: A sample with predictions, ``sr`` and, where there is one, ``lr``.
            classes: Names of the classes.
            coordinates: ``sr`` or ``lr``: the image whose pixels boxes, masks and label maps count.
        """
        return {}

    def draw(self, visualizer, image: np.ndarray, sample, **kwargs) -> np.ndarray:
        """Draw annotations and predictions of a sample onto its image.

        Args:
            visualizer: The visualizer of the host library.
            image: (H, W, 3), RGB, 8 bits.
            sample: A sample from :meth:`at_size`, for the size of the image.
            **kwargs: ``draw_gt=False`` or ``draw_pred=False``.
        """
        visualizer.set_image(image)
        visualizer.add_datasample('panel', image, sample, show=False, **kwargs)
        return visualizer.get_image()

    def at_size(self, sample, height: int, width: int, gt_shape: Sequence[int]):
        """Copy a sample, with predictions and ground truth that fit its image in another size.

        Args:
            sample: A sample with predictions.
            height: Height of the image to draw on.
            width: Width of the image to draw on.
            gt_shape: Height and width of the image whose pixels the annotated boxes and masks count.
        """
        return sample

    def caption(
        self, sample, classes: Sequence[str], draw_gt: bool = True, draw_pred: bool = True
    ) -> Tuple[str, Optional[bool]]:
        """Return what to write below a picture, and whether it is right, where that can be said."""
        return '', None

    def drawn_labels(self, sample) -> Set[int]:
        """Return the classes that :meth:`draw` shows by a color alone."""
        return set()


def coordinate_factors(sample, coordinates: str) -> Tuple[float, float]:
    """Return the factors (x, y) from the pixels of a prediction to those of ``sr`` or ``lr``.

    Predictions come at the size that the sample calls the original one.
    """
    shrink = 1 if coordinates == 'sr' or 'lr' not in sample else round(sample.sr.shape[-1] / sample.lr.shape[-1])
    height, width = sample.ori_shape[:2]
    return sample.sr.shape[-1] / width / shrink, sample.sr.shape[-2] / height / shrink
