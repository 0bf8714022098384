"""A network trained for classification as an embedding, to compare a learned one with."""

from typing import List, Optional, Sequence

import torch
from torch import Tensor

from sr4ir_mm.models.backbones.torchvision_backbone import TorchvisionBackbone
from sr4ir_mm.registry import MODELS

from .layers import check_layers

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@MODELS.register_module()
class VGGEmbedding(TorchvisionBackbone):
    """Compare images in the features of torchvision's VGG-19, which does not learn.

    PCL-SR (arXiv 2111.13924) compares its learned embedding network with it. There is no ``embedding`` loss then, and
    no phase for it. The five layers are the first activations at each size: ``relu1_1``, ``relu2_1``, ``relu3_1``,
    ``relu4_1`` and ``relu5_1``.

    Args:
        init_cfg: See :class:`mmengine.model.BaseModule`, for example
            ``dict(type='Pretrained', checkpoint='torchvision://vgg19')``.
    """

    #: no phase may update it
    frozen = True

    def __init__(self, init_cfg: Optional[dict] = None) -> None:
        # torchvision's own initialization takes seconds, and the weights come from a file
        super().__init__(
            'vgg19', out_indices=(1, 6, 11, 20, 29), frozen_stages=30, init_cfg=init_cfg, init_weights=False
        )
        for name, value in (('mean', IMAGENET_MEAN), ('std', IMAGENET_STD)):
            self.register_buffer(name, torch.tensor(value).view(3, 1, 1), persistent=False)

    def extract_feat(self, image: Tensor, layers: Sequence[int]) -> List[Tensor]:
        """Return the activations of some layers.

        Args:
            image: RGB in [0, 1], shape (N, 3, H, W); normalized by the mean and standard deviation of ImageNet here.
            layers: Which of the five, counted from 0 or, with negative numbers, from the end.

        Returns:
            One map for each of them, in the order of ``layers``: layer i has the shape (N, C, H/2^i, W/2^i) with 64,
            128, 256, 512 and 512 channels.
        """
        wanted = check_layers(layers, len(self.out_indices))
        x, maps = (image - self.mean) / self.std, []
        for index, stage in enumerate(self.features[: self.out_indices[max(wanted)] + 1]):
            x = stage(x)
            if index in self.out_indices:
                maps.append(x)
        return [maps[layer] for layer in wanted]
