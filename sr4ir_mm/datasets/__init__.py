from mmengine.dataset import BaseDataset

from sr4ir_mm.datasets.annotations import annotations_follow_image
from sr4ir_mm.datasets.split import train_val_split
from sr4ir_mm.datasets.transforms import Cached, CQMix, DegradeToLR, LoadImage, PackImages, SetOriShape
from sr4ir_mm.registry import DATASETS

__all__ = [
    'Cached',
    'CQMix',
    'DegradeToLR',
    'LoadImage',
    'PackImages',
    'SetOriShape',
    'annotations_follow_image',
    'train_val_split',
]


@DATASETS.register_module(name='VOCDetectionDataset')
def _voc_detection(**kwargs) -> BaseDataset:
    from sr4ir_mm.datasets.voc_detection import (
        VOCDetectionDataset,  # only now: mmdet takes seconds, which the other tasks need not wait
    )

    return VOCDetectionDataset(**kwargs)
