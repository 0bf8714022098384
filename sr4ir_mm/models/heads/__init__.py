from .deeplabv3_head import DeepLabV3AuxiliaryHead, DeepLabV3Head

__all__ = ['DeepLabV3AuxiliaryHead', 'DeepLabV3Head']
