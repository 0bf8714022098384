"""Data sets and transforms that the host libraries lack."""

from sr4ir_mm.datasets.annotations import annotations_follow_image
from sr4ir_mm.datasets.split import train_val_split
from sr4ir_mm.datasets.transforms import Cached, CQMix, DegradeToLR, LoadImage, PackImages, SetOriShape
from sr4ir_mm.registry import DATASETS, register_late

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

register_late(DATASETS, 'VOCDetectionDataset', 'sr4ir_mm.datasets.voc_detection')
