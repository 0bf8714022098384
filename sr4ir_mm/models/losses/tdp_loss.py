"""The task-driven perceptual loss."""

from typing import List, Sequence, Union

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sr4ir_mm.errors import ConfigError
from sr4ir_mm.models.batch import Batch
from sr4ir_mm.models.precision import to_float32
from sr4ir_mm.registry import MODELS

from .base import LossTerm


@MODELS.register_module()
class TDPLoss(LossTerm):
    r"""Task-driven perceptual loss of SR4IR (CVPR 2024, arXiv 2404.01692).

    .. math:: \sum_k w_k \cdot \mathrm{mean}|\phi_k(sr) - \phi_k(hr)|

    Args:
        features: Which of the recognizer's feature maps :math:`\phi` are compared, as indices into what its
            ``extract_feat`` returns. Where an entry is itself a list, as of transformers that return a class token beside
            their map, it is the first map (N, C, h, w) in it, or its first tensor.
        weights: One :math:`w_k` for each of them.
    """

    needs = ('recognizer',)

    def __init__(self, features: Sequence[int] = (-1,), weights: Sequence[float] = (1.0,)) -> None:
        super().__init__()
        if len(features) != len(weights) or not features:
            raise ConfigError(
                f'model.losses.tdp needs one weight for each feature; '
                f'features is {list(features)} and weights is {list(weights)}.'
            )
        self.features = list(features)
        self.weights = list(weights)

    def select(self, feature_maps: Sequence[Tensor]) -> List[Tensor]:
        """Pick the compared maps out of all that the recognizer returns."""
        if isinstance(feature_maps, Tensor):  # from a network with one map, which it does not wrap
            feature_maps = (feature_maps,)
        for index in self.features:
            if not -len(feature_maps) <= index < len(feature_maps):
                raise ConfigError(
                    f'model.losses.tdp.features names the feature map {index}, but the recognizer returns '
                    f'{len(feature_maps)}; allowed: {-len(feature_maps)} to {len(feature_maps) - 1}.'
                )
        return [_map_of(feature_maps[index]) for index in self.features]

    def forward(self, cascade: nn.Module, batch: Batch) -> Tensor:
        with torch.no_grad():
            hr_features = self.select(cascade.task.extract_features(batch.hr, batch))
        return self.compare(self.select(cascade.task.extract_features(batch.sr, batch)), hr_features)

    def compare(self, sr_features: Sequence[Tensor], hr_features: Sequence[Tensor]) -> Tensor:
        """Compare two lists of feature maps, as :meth:`select` returns them."""
        pairs = zip(self.weights, sr_features, hr_features)
        return sum(weight * F.l1_loss(to_float32(sr), to_float32(hr)) for weight, sr, hr in pairs)


def _map_of(feature: Union[Tensor, Sequence]) -> Tensor:
    """Return the map of an entry of features that may be nested."""
    if isinstance(feature, Tensor):
        return feature
    tensors = [_map_of(each) for each in feature]
    return next((tensor for tensor in tensors if tensor.dim() == 4), tensors[0])
