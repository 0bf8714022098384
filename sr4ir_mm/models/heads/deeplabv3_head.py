"""DeepLabV3's two heads as torchvision builds them, made of mmseg's parts.

SR4IR's segmentation network is torchvision's, and its released weights fit these heads. mmseg's own ``ASPPHead`` fuses
the branches by one 3×3 convolution and drops whole channels; torchvision fuses them by a 1×1 convolution, drops single
values, and has a 3×3 convolution after that.
"""

from functools import partial
from typing import Dict, List, Optional, Sequence

from mmcv.cnn import ConvModule
from mmseg.models.decode_heads import ASPPHead, FCNHead
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.models.utils import resize
from torch import Tensor, nn

from sr4ir_mm.errors import CheckpointError


class _TorchvisionHead(BaseDecodeHead):
    """Initialize as PyTorch does by default, which torchvision keeps.

    mmseg draws these convolutions two to six times as wide. Before a batch norm this changes no output, but it makes
    every step of an optimizer smaller in proportion.
    """

    def init_weights(self) -> None:
        if self.init_cfg:
            super().init_weights()
            return
        for module in self.modules():
            if hasattr(module, 'reset_parameters'):
                module.reset_parameters()
        self.is_init = True

    def loss_by_feat(self, seg_logits: Tensor, batch_data_samples: List) -> Dict[str, Tensor]:
        """Compute the loss without the accuracy of the batch, which is not logged and which a GPU's host waits for."""
        if self.sampler is not None or isinstance(self.loss_decode, nn.ModuleList):
            return super().loss_by_feat(seg_logits, batch_data_samples)
        labels = self._stack_batch_gt(batch_data_samples)
        scores = resize(seg_logits, labels.shape[2:], mode='bilinear', align_corners=self.align_corners)
        loss = self.loss_decode(scores, labels.squeeze(1), ignore_index=self.ignore_index)
        return {self.loss_decode.loss_name: loss}


class DeepLabV3Head(_TorchvisionHead, ASPPHead):
    """Classify each pixel from atrous spatial pyramid pooling, as torchvision's ``DeepLabHead``.

    A 1×1 convolution, one dilated 3×3 convolution for each further rate and the pooled image, all of ``channels``
    channels; a 1×1 convolution over all of them and dropout; a 3×3 convolution; the classifier. Each convolution but
    the last has batch norm and ReLU. Source: torchvision.models.segmentation.deeplabv3; Chen et al., arXiv 1706.05587.

    Args:
        dilations: Rates of the pyramid; 1 stands for the 1×1 convolution.
        dropout_ratio: Probability that a value after the 1×1 convolution over all branches is set to zero.
        init_cfg: None: PyTorch's own initialization, as in torchvision.
        **kwargs: See :class:`mmseg.models.decode_heads.ASPPHead`.

    Raises:
        CheckpointError: The weights to load are those of mmseg's ``ASPPHead``.

    Shape:
        Feature maps, of which that at ``in_index`` is (N, in_channels, H, W) -> scores (N, num_classes, H, W).
    """

    def __init__(
        self,
        dilations: Sequence[int] = (1, 12, 24, 36),
        dropout_ratio: float = 0.5,
        init_cfg: Optional[dict] = None,
        **kwargs,
    ) -> None:
        super().__init__(dilations=dilations, dropout_ratio=0, init_cfg=init_cfg, **kwargs)
        conv = partial(ConvModule, conv_cfg=self.conv_cfg, norm_cfg=self.norm_cfg, act_cfg=self.act_cfg)
        self.bottleneck = nn.Sequential(
            conv((len(dilations) + 1) * self.channels, self.channels, 1),
            nn.Dropout(dropout_ratio),
            conv(self.channels, self.channels, 3, padding=1),
        )

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args, **kwargs) -> None:
        if f'{prefix}bottleneck.conv.weight' in state_dict:
            raise CheckpointError(
                f"The checkpoint has mmseg's ASPPHead, which the DeepLabV3 configs had before "
                f'({prefix}bottleneck.conv.weight is a single convolution); to use it, set '
                "model.recognizer.decode_head.type='ASPPHead'."
            )
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


class DeepLabV3AuxiliaryHead(_TorchvisionHead, FCNHead):
    """Classify each pixel of an earlier feature map while training, as torchvision's ``FCNHead``.

    One 3×3 convolution with batch norm and ReLU, dropout of single values, and the classifier. Its parameters have the
    names of mmseg's ``FCNHead``.

    Args:
        dropout_ratio: Probability that a value is set to zero.
        init_cfg: None: PyTorch's own initialization, as in torchvision.
        **kwargs: See :class:`mmseg.models.decode_heads.FCNHead`.

    Shape:
        Feature maps, of which that at ``in_index`` is (N, in_channels, H, W) -> scores (N, num_classes, H, W).
    """

    def __init__(self, dropout_ratio: float = 0.1, init_cfg: Optional[dict] = None, **kwargs) -> None:
        super().__init__(num_convs=1, concat_input=False, dropout_ratio=dropout_ratio, init_cfg=init_cfg, **kwargs)
        self.dropout = nn.Dropout(dropout_ratio)
