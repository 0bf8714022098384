from .annotations import annotations_follow_image
from .split import train_val_split
from .transforms import Cached, CQMix, DegradeToLR, LoadImageFromFile, PackImages, SetOriShape

__all__ = [
    'Cached', 'CQMix', 'DegradeToLR', 'LoadImageFromFile', 'PackImages', 'SetOriShape', 'annotations_follow_image',
    'train_val_split'
]
