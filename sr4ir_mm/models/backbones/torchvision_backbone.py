"""Torchvision's classifiers as backbones."""

from typing import Any, List, Optional, Sequence

from mmengine.model import BaseModule
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm
from torchvision import models as torchvision_models

from sr4ir_mm.errors import ConfigError
from sr4ir_mm.registry import MODELS


@MODELS.register_module()
class TorchvisionBackbone(BaseModule):
    """The ``features`` of a torchvision classifier as a backbone for any host library.

    SR4IR's segmentation and detection recognizers stand on torchvision's MobileNetV3-Large; mmseg's network of that
    name has another stride and mmdet has none. Parameters keep torchvision's names, so
    ``init_cfg=dict(type='Pretrained', checkpoint='torchvision://mobilenet_v3_large')`` fits.

    Args:
        arch: A torchvision model with ``features``: ``mobilenet_v3_large``, ``vgg16``, ``efficientnet_b0``, ...
        out_indices: The children of ``features`` whose outputs are returned; those after the last are dropped.
        frozen_stages: The first so many children get no gradient and stay in eval mode.
        norm_eval: Keep every batch norm in eval mode.
        norm_frozen: Besides, give their weights and biases no gradient, as torchvision's ``FrozenBatchNorm2d``.
        norm_eps: What every batch norm adds to the variance. None: as the architecture has it, 1e-3 in MobileNetV3.
            torchvision's detectors, and so SR4IR's, are built with ``FrozenBatchNorm2d`` and its 1e-5; their weights
            need that number.
        init_cfg: See :class:`mmengine.model.BaseModule`.
        **kwargs: To the torchvision constructor, for example ``dilated=True``.
    """

    def __init__(
        self,
        arch: str,
        out_indices: Sequence[int],
        frozen_stages: int = 0,
        norm_eval: bool = False,
        norm_frozen: bool = False,
        norm_eps: Optional[float] = None,
        init_cfg=None,
        **kwargs,
    ) -> None:
        super().__init__(init_cfg)
        network: Any = getattr(torchvision_models, arch, lambda **_: None)(weights=None, **kwargs)
        if not hasattr(network, 'features'):
            raise ConfigError(
                f"backbone.arch is {arch!r}; allowed are torchvision's models that have `features`, "
                "for example 'mobilenet_v3_large'."
            )
        if not all(0 <= index < len(network.features) for index in out_indices):
            raise ConfigError(
                f'backbone.out_indices is {tuple(out_indices)}; {arch} has the stages '
                f'0 to {len(network.features) - 1}.'
            )
        self.features = network.features[: max(out_indices) + 1]
        self.arch = arch
        self.out_indices = tuple(out_indices)
        self.frozen_stages = frozen_stages
        self.norm_eval = norm_eval or norm_frozen
        self.features[:frozen_stages].requires_grad_(False)
        if norm_eps is not None:
            if isinstance(norm_eps, bool) or not isinstance(norm_eps, (int, float)) or norm_eps < 0:
                raise ConfigError(
                    f'backbone.norm_eps is {norm_eps!r}; allowed: None, or a number that is not negative, '
                    'for example 1e-5.'
                )
            for norm in self._norms():
                norm.eps = float(norm_eps)
        if norm_frozen:
            for norm in self._norms():
                norm.requires_grad_(False)

    def _norms(self) -> List[_BatchNorm]:
        return [module for module in self.features.modules() if isinstance(module, _BatchNorm)]

    def train(self, mode: bool = True):
        super().train(mode)
        self.features[: self.frozen_stages].eval()
        if self.norm_eval:
            for norm in self._norms():
                norm.eval()
        return self

    def forward(self, x: Tensor) -> List[Tensor]:
        outs = []
        for index, stage in enumerate(self.features):
            x = stage(x)
            if index in self.out_indices:
                outs.append(x)
        return outs
