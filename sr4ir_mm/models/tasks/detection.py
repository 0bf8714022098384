"""Object detection and instance segmentation with mmdet."""

from typing import Any, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
import torch
import torch.nn.functional as F
from mmcv import rescale_size
from mmengine.structures import InstanceData, PixelData
from torch import Tensor, nn

from sr4ir_mm.errors import ConfigError
from sr4ir_mm.models.batch import Batch, copy_sample
from sr4ir_mm.models.data_preprocessor import RecognizerInput
from sr4ir_mm.registry import MODELS

from .base import Task, coordinate_factors

# Where a detector keeps what knows its classes, and how that calls their number.
_CLASSES = (
    'roi_head.bbox_head.num_classes',
    'bbox_head.num_classes',
    'mask_head.num_classes',
    'panoptic_head.num_things_classes',
)


#: predictions with at most this score are not drawn
SHOWN_SCORE = 0.3


class _View(NamedTuple):
    """The batch as the detector sees it: sizes of the images, of the padded batch, and the samples at these sizes."""

    sizes: List[Tuple[int, int]]
    batch_shape: Tuple[int, int]
    data_samples: List


@MODELS.register_module()
class DetectionTask(Task):
    """Detect objects by any detector or instance segmentor of mmdet.

    Args:
        recognizer: The detector.
        normalize: Converts images between the parts to what the detector was made for.
        input_scale: None: restorer and detector work at the size that the pipeline makes. Otherwise the pipeline leaves
            the images at their original size, ``hr`` and ``sr`` have that size, and the detector sees them, whichever
            image it gets, resized to within this (long side, short side), for example ``(1333, 800)``. Boxes and masks
            are resized with them, and predictions come back at the original size.

    Raises:
        ConfigError: ``input_scale`` is something else.
    """

    host = 'mmdet'
    packing = 'PackDetInputs'
    pad_mode = 'reflect'

    def __init__(
        self,
        recognizer: Optional[nn.Module],
        normalize: RecognizerInput,
        input_scale: Optional[Tuple[int, int]] = None,
    ) -> None:
        super().__init__(recognizer, normalize)
        if input_scale is not None and (len(input_scale) != 2 or min(input_scale) < 1):
            raise ConfigError(
                f'model.task.input_scale is {input_scale!r}; allowed: None, or two whole numbers from 1, '
                'the limits of the long and of the short side.'
            )
        self.input_scale: Any = input_scale

    def prepare(self, cascade: nn.Module) -> None:
        if self.input_scale is not None:
            # batches are padded for the restorer; what the detector needs follows after the resizing
            host = cascade.data_preprocessor.host
            host.pad_size_divisor = cascade.scale
            host.pad_mask = host.pad_seg = False

    @property
    def num_classes(self) -> Optional[int]:
        if any(kind.__name__ == 'RPN' for kind in type(self.recognizer).__mro__):
            return None  # it takes objects of all classes for one
        for path in _CLASSES:
            node: Any = self.recognizer
            for name in path.split('.'):
                node = getattr(node[0] if isinstance(node, nn.ModuleList) else node, name, None)
            if node is not None:
                return node
        return None

    def labels_of(self, sample) -> Iterator[Tensor]:
        if 'gt_instances' in sample and 'labels' in sample.gt_instances:
            yield sample.gt_instances.labels

    def example_samples(self, count: int, height: int, width: int) -> List:
        # here: only the library that is used is loaded
        from mmdet.structures import DetDataSample
        from mmdet.structures.mask import BitmapMasks

        samples = []
        for index in range(count):
            shape = dict(img_shape=(height, width), ori_shape=(height, width), pad_shape=(height, width))
            sample = DetDataSample(
                metainfo=dict(shape, img_id=index, batch_input_shape=(height, width), scale_factor=(1.0, 1.0))
            )
            masks = np.zeros((1, height, width), np.uint8)
            masks[:, height // 4 : height // 2, width // 4 :] = 1
            sample.gt_instances = InstanceData(
                bboxes=torch.tensor([[width // 4, height // 4, width, height // 2]], dtype=torch.get_default_dtype()),
                labels=torch.tensor([index % (self.num_classes or 1)]),
                masks=BitmapMasks(masks, height, width),
            )
            sample.ignored_instances = sample.gt_instances[:0]
            sample.gt_sem_seg = PixelData(sem_seg=torch.zeros(1, height, width, dtype=torch.long))
            samples.append(sample)
        return samples

    def view(self, image: Tensor, batch: Batch) -> Tuple[Tensor, Optional[List]]:
        for sample in batch.data_samples or ():
            if 'scale_factor' not in sample:  # nothing in the pipeline has resized the image
                sample.set_metainfo(dict(scale_factor=(1.0, 1.0)))
        if self.input_scale is None:
            return super().view(image, batch)
        if batch.view is None:
            batch.view = self._make_view(batch)
        view = batch.view
        bottom, right = view.batch_shape
        resized = []
        for one, old, new in zip(image, batch.sizes, view.sizes):
            one = F.interpolate(one[None, :, : old[0], : old[1]], size=new, mode='bilinear', align_corners=False)
            resized.append(F.pad(one, (0, right - new[1], 0, bottom - new[0])))
        return self.normalize(torch.cat(resized), view.sizes), view.data_samples

    def recognize(self, image: Tensor, batch: Batch) -> List:
        predicted = super().recognize(image, batch)
        if batch.view is None:
            return predicted
        for sample, other in zip(batch.data_samples, predicted):
            sample.set_data({key: value for key, value in other.items() if key.startswith('pred_')})
        return batch.data_samples

    def prediction(self, sample, classes: Sequence[str], coordinates: str = 'sr') -> dict:
        if 'pred_instances' not in sample:
            raise ConfigError('The detector predicts no instances (pred_instances); panoptic results are not written.')
        found = sample.pred_instances.cpu()
        factors = coordinate_factors(sample, coordinates)
        result = dict(
            labels=found.labels.tolist(),
            classes=[classes[label] for label in found.labels.tolist()],
            scores=found.scores.tolist(),
            bboxes=(found.bboxes * found.bboxes.new_tensor(factors * 2)).tolist(),
        )
        if 'masks' in found:
            image = sample.sr if coordinates == 'sr' or 'lr' not in sample else sample.lr
            masks = torch.as_tensor(found.masks).float()
            if len(masks):
                masks = F.interpolate(masks[None], size=image.shape[-2:], mode='nearest-exact')[0]
            result['masks'] = masks.bool().numpy()
        return result

    def at_size(self, sample, height: int, width: int, gt_shape: Sequence[int]):
        sample = copy_sample(sample)
        # predictions are at the original size, even if the pipeline has resized the image
        for name, shape in dict(gt_instances=gt_shape, pred_instances=sample.ori_shape).items():
            if name in sample:
                _resize_instances(sample.get(name), (width / shape[1], height / shape[0]), (height, width))
        return sample

    def caption(
        self, sample, classes: Sequence[str], draw_gt: bool = True, draw_pred: bool = True
    ) -> Tuple[str, Optional[bool]]:
        if not draw_pred:
            count = len(sample.gt_instances)
            return f'{count} object{"s" * (count != 1)}', None
        shown = sum(sample.pred_instances.scores > SHOWN_SCORE).item()
        return f'{shown} box{"es" * (shown != 1)} above {SHOWN_SCORE:.0%}', None

    def draw(self, visualizer, image: np.ndarray, sample, **kwargs) -> np.ndarray:
        return super().draw(visualizer, image, sample, pred_score_thr=SHOWN_SCORE, **kwargs)

    def _make_view(self, batch: Batch) -> _View:
        """Make what does not depend on the image, once for the losses on ``sr``, ``hr`` and their mixture."""
        host = self.recognizer.data_preprocessor
        sizes = [rescale_size(size[::-1], tuple(self.input_scale))[::-1] for size in batch.sizes]

        def padded(size: Sequence[int]) -> Tuple[int, int]:
            return tuple(-(-side // host.pad_size_divisor) * host.pad_size_divisor for side in size)

        batch_shape = padded([max(sides) for sides in zip(*sizes)])
        samples = batch.data_samples
        if samples is not None:
            samples = [_resize_sample(*each) for each in zip(samples, batch.sizes, sizes)]
            for sample, size in zip(samples, sizes):
                sample.set_metainfo(dict(batch_input_shape=batch_shape, pad_shape=padded(size)))
            if batch.training and host.pad_mask:
                host.pad_gt_masks(samples)
            if batch.training and host.pad_seg:
                host.pad_gt_sem_seg(samples)
        return _View(sizes, batch_shape, samples)


def _resize_sample(sample, old: Tuple[int, int], new: Tuple[int, int]):
    """A copy of a sample whose image of height and width ``old`` has been resized to ``new``."""
    factor = new[1] / old[1], new[0] / old[0]
    sample = copy_sample(sample)
    before = sample.scale_factor
    sample.set_metainfo(dict(img_shape=new, scale_factor=(before[0] * factor[0], before[1] * factor[1])))
    for name in ('gt_instances', 'ignored_instances', 'proposals'):
        if name in sample:
            _resize_instances(sample.get(name), factor, new)
    if 'gt_sem_seg' in sample:
        labels = sample.gt_sem_seg.sem_seg  # a head may want it smaller than the image
        size = [round(side * by) for side, by in zip(labels.shape[-2:], factor[::-1])]
        sample.gt_sem_seg = type(sample.gt_sem_seg)(
            metainfo=sample.gt_sem_seg.metainfo, sem_seg=F.interpolate(labels[None].float(), size)[0].to(labels)
        )
    return sample


def _resize_instances(instances: InstanceData, factor: Tuple[float, float], size: Tuple[int, int]) -> None:
    if 'bboxes' in instances:
        boxes = instances.bboxes
        if isinstance(boxes, Tensor):
            instances.bboxes = boxes * boxes.new_tensor(factor * 2)
        else:
            instances.bboxes = boxes.clone()
            instances.bboxes.rescale_(factor)
    if 'masks' in instances and isinstance(instances.masks, Tensor):  # predicted
        masks = instances.masks
        if len(masks):
            instances.masks = F.interpolate(masks[None].float(), size=size, mode='nearest-exact')[0].to(masks)
    elif 'masks' in instances:
        instances.masks = instances.masks.resize(size)
