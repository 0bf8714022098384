"""Heads that the host libraries do not have."""

from torch import nn

from sr4ir_mm.registry import MODELS


# registered by functions: mmseg, which the heads derive from, takes seconds that the other tasks need not wait
@MODELS.register_module(name='DeepLabV3Head')
def _deeplabv3_head(**kwargs) -> nn.Module:
    from .deeplabv3_head import DeepLabV3Head

    return DeepLabV3Head(**kwargs)


@MODELS.register_module(name='DeepLabV3AuxiliaryHead')
def _deeplabv3_auxiliary_head(**kwargs) -> nn.Module:
    from .deeplabv3_head import DeepLabV3AuxiliaryHead

    return DeepLabV3AuxiliaryHead(**kwargs)
