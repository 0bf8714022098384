from .split import train_val_split
from .transforms import CQMix, DegradeToLR, LoadImageFromFile, PackImages, SetOriShape

__all__ = ['CQMix', 'DegradeToLR', 'LoadImageFromFile', 'PackImages', 'SetOriShape', 'train_val_split']
