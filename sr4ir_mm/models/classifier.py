from typing import Iterator, Optional, Sequence

import numpy as np
from torch import Tensor

from sr4ir_mm.registry import MODELS

from .cascade import Cascade


@MODELS.register_module()
class CascadeClassifier(Cascade):
    """A restorer in front of any classifier of mmpretrain. The TDP loss compares the maps before the pooling."""
    host = 'mmpretrain'
    feature_args = dict(stage='backbone')

    @property
    def num_classes(self) -> Optional[int]:
        return getattr(self.recognizer.head, 'num_classes', None)

    def labels_of(self, data_sample) -> Iterator[Tensor]:
        if 'gt_label' in data_sample:
            yield data_sample.gt_label

    def prediction(self, sample, classes: Sequence[str], coordinates: str = 'sr') -> dict:
        result = dict(pred_scores=sample.pred_score.tolist())
        if sample.pred_label.numel() == 1:
            label = sample.pred_label.item()
            result.update(pred_label=label, pred_score=result['pred_scores'][label], pred_class=classes[label])
        else:  # several classes at once, or none
            labels = sample.pred_label.tolist()
            result.update(pred_label=labels, pred_class=[classes[label] for label in labels])
        return result

    def draw(self, visualizer, image: np.ndarray, sample, **kwargs) -> np.ndarray:
        # enlarged, or the text would fill the image
        zoom = max(1, round(256 / image.shape[0]))
        return visualizer.visualize_cls(image, sample, rescale_factor=zoom, **kwargs)
