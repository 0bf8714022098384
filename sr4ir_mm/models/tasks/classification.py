"""Image classification with mmpretrain."""

import inspect
from operator import attrgetter
from typing import Iterator, List, Optional, Sequence, Tuple

import numpy as np
from torch import Tensor, nn

from sr4ir_mm.models.batch import Batch
from sr4ir_mm.registry import MODELS

from .base import Task


@MODELS.register_module()
class ClassificationTask(Task):
    """Classify images by any classifier of mmpretrain. Its features are the maps before the pooling."""

    host = 'mmpretrain'

    def prepare(self, cascade: nn.Module) -> None:
        if hasattr(self.recognizer, '_remove_state_dict_prefix'):
            cascade._register_state_dict_hook(_shorten_names)

    def extract_features(self, image: Tensor, batch: Batch) -> Sequence[Tensor]:
        # those that wrap a network of another library have no stages
        stages = 'stage' in inspect.signature(self.recognizer.extract_feat).parameters
        return self.recognizer.extract_feat(self.view(image, batch)[0], **(dict(stage='backbone') if stages else {}))

    @property
    def num_classes(self) -> Optional[int]:
        # a head of mmpretrain, a network of timm, one of transformers
        for path in ('head.num_classes', 'model.num_classes', 'model.config.num_labels'):
            try:
                return attrgetter(path)(self.recognizer)
            except AttributeError:
                pass
        return None

    def labels_of(self, sample) -> Iterator[Tensor]:
        if 'gt_label' in sample:
            yield sample.gt_label

    def example_samples(self, count: int, height: int, width: int) -> List:
        from mmpretrain.structures import DataSample  # here: only the library that is used is loaded

        shape = dict(img_shape=(height, width), ori_shape=(height, width))
        return [DataSample(metainfo=shape).set_gt_label(index % (self.num_classes or 1)) for index in range(count)]

    def logits(self, image: Tensor) -> Tensor:
        return self.recognizer(image, mode='tensor')

    def predict_from_logits(self, logits: Tensor, batch: Batch) -> List:
        predictor = getattr(self.recognizer, 'head', self.recognizer)  # without a head the classifier does it
        return predictor._get_predictions(logits, batch.data_samples)

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
        return image  # the host would write across it; see `caption`

    def caption(
        self, sample, classes: Sequence[str], draw_gt: bool = True, draw_pred: bool = True
    ) -> Tuple[str, Optional[bool]]:
        truth = sample.gt_label.tolist() if 'gt_label' in sample else None
        if not draw_pred:
            return ', '.join(classes[label] for label in truth), None
        labels = sample.pred_label.tolist()
        text = ', '.join(f'{classes[label]} {sample.pred_score[label]:.2f}' for label in labels) or 'nothing'
        return text, None if truth is None else set(labels) == set(truth)


def _shorten_names(cascade: nn.Module, state: dict, prefix: str, metadata: dict) -> dict:
    """Name the weights of a wrapped network as its own library does.

    mmpretrain's wrappers do it by a hook whose result PyTorch drops where the wrapper is a part of something, but they
    expect the short names in any checkpoint.
    """
    return cascade.recognizer._remove_state_dict_prefix(cascade.recognizer, state, f'{prefix}recognizer.', metadata)
