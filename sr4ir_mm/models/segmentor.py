from typing import Iterator

import numpy as np
from torch import Tensor

from sr4ir_mm.registry import MODELS

from .cascade import Cascade


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

    def draw(self, visualizer, image: np.ndarray, sample, **kwargs) -> np.ndarray:
        return super().draw(visualizer, image, sample, with_labels=False, **kwargs)
