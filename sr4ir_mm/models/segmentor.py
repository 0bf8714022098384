from typing import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from sr4ir_mm.registry import MODELS

from .cascade import Cascade, coordinate_factors


@MODELS.register_module()
class CascadeSegmentor(Cascade):
    """A restorer in front of any segmentor of mmseg."""
    host = 'mmseg'

    @property
    def num_classes(self) -> int:
        return self.recognizer.num_classes

    @property
    def ignore_index(self) -> int:
        head = self.recognizer.decode_head
        return getattr(head, 'ignore_index', None) or getattr(head[-1], 'ignore_index', 255)

    def labels_of(self, data_sample) -> Iterator[Tensor]:
        if 'gt_sem_seg' in data_sample:
            yield data_sample.gt_sem_seg.data

    def prediction(self, sample, classes: Sequence[str], coordinates: str = 'sr') -> dict:
        labels = sample.pred_sem_seg.data[0]
        image = sample.sr if coordinates == 'sr' or 'lr' not in sample else sample.lr
        rows, columns = (((torch.arange(size, device=labels.device) + 0.5) / by).long().clamp(max=limit - 1)
                         for size, by, limit in zip(image.shape[-2:], coordinate_factors(sample, coordinates)[::-1],
                                                    labels.shape))
        labels = labels[rows[:, None], columns].cpu().numpy().astype(np.uint8)
        ids, counts = np.unique(labels, return_counts=True)
        area = {classes[index]: count / labels.size for index, count in zip(ids.tolist(), counts.tolist())}
        return dict(sem_seg=labels, area=area)

    def draw(self, visualizer, image: np.ndarray, sample, **kwargs) -> np.ndarray:
        return super().draw(visualizer, image, sample, with_labels=False, **kwargs)
