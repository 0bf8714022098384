"""Semantic segmentation with mmseg."""

from typing import Iterator, List, Sequence, Set

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.structures import PixelData
from torch import Tensor

from sr4ir_mm.errors import ConfigError
from sr4ir_mm.models.batch import Batch, copy_sample
from sr4ir_mm.registry import MODELS

from .base import Task, coordinate_factors


@MODELS.register_module()
class SegmentationTask(Task):
    """Segment images by any segmentor of mmseg."""

    host = 'mmseg'
    packing = 'PackSegInputs'
    logit_axes = {2: 'sh', 3: 'sw'}

    @property
    def num_classes(self) -> int:
        return self.recognizer.num_classes

    @property
    def ignore_index(self) -> int:  # type: ignore[override]  # known with the recognizer, not with the class
        head = self.recognizer.decode_head
        return getattr(head, 'ignore_index', 0) or getattr(head[-1], 'ignore_index', 255)

    def labels_of(self, sample) -> Iterator[Tensor]:
        if 'gt_sem_seg' in sample:
            yield sample.gt_sem_seg.data

    def example_samples(self, count: int, height: int, width: int) -> List:
        from mmseg.structures import SegDataSample  # here: only the library that is used is loaded

        samples = []
        for _ in range(count):
            sample = SegDataSample(metainfo=dict(img_shape=(height, width), ori_shape=(height, width)))
            sample.gt_sem_seg = PixelData(data=torch.randint(0, self.num_classes, (1, height, width)))
            samples.append(sample)
        return samples

    def logits(self, image: Tensor) -> Tensor:
        if self.recognizer.test_cfg.mode != 'whole':
            raise ConfigError(
                f"model.recognizer.test_cfg.mode is '{self.recognizer.test_cfg.mode}'; allowed for an "
                "export: 'whole'."
            )
        logits = self.recognizer(image, mode='tensor')
        return F.interpolate(logits, size=image.shape[2:], mode='bilinear', align_corners=self.recognizer.align_corners)

    def predict_from_logits(self, logits: Tensor, batch: Batch) -> List:
        return self.recognizer.postprocess_result(logits, batch.data_samples)

    def prediction(self, sample, classes: Sequence[str], coordinates: str = 'sr') -> dict:
        labels = sample.pred_sem_seg.data[0]
        image = sample.sr if coordinates == 'sr' or 'lr' not in sample else sample.lr
        rows, columns = (
            ((torch.arange(size, device=labels.device) + 0.5) / by).long().clamp(max=limit - 1)
            for size, by, limit in zip(image.shape[-2:], coordinate_factors(sample, coordinates)[::-1], labels.shape)
        )
        labels = labels[rows[:, None], columns].cpu().numpy().astype(np.uint8)
        ids, counts = np.unique(labels, return_counts=True)
        area = {classes[index]: count / labels.size for index, count in zip(ids.tolist(), counts.tolist())}
        result = dict(sem_seg=labels, area=area)
        if self.recognizer.out_channels > 1 and 'seg_logits' in sample:
            best = sample.seg_logits.data.softmax(0).max(0)
            result['scores'] = {
                classes[index]: best.values[best.indices == index].mean().item()
                for index in best.indices.unique().tolist()
            }
        return result

    def draw(self, visualizer, image: np.ndarray, sample, **kwargs) -> np.ndarray:
        return super().draw(visualizer, image, sample, with_labels=False, **kwargs)

    def at_size(self, sample, height: int, width: int, gt_shape: Sequence[int]):
        sample = copy_sample(sample)
        for name in ('gt_sem_seg', 'pred_sem_seg'):
            if name in sample:
                labels = sample.get(name).data
                resized = F.interpolate(labels[None].float(), size=(height, width), mode='nearest-exact')[0]
                setattr(sample, name, PixelData(data=resized.to(labels)))
        return sample

    def drawn_labels(self, sample) -> Set[int]:
        labels = [sample.get(name).data.unique().tolist() for name in ('gt_sem_seg', 'pred_sem_seg') if name in sample]
        return {label for found in labels for label in found if 0 <= label < self.num_classes}
