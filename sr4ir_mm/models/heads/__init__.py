"""Heads that the host libraries do not have."""

from sr4ir_mm.registry import MODELS, register_late

for _name in ('DeepLabV3Head', 'DeepLabV3AuxiliaryHead'):
    register_late(MODELS, _name, 'sr4ir_mm.models.heads.deeplabv3_head')
