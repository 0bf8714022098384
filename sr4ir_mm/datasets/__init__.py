from .split import train_val_split
from .transforms import Cached, CQMix, DegradeToLR, LoadImageFromFile, PackImages, SetOriShape

__all__ = ['Cached', 'CQMix', 'DegradeToLR', 'LoadImageFromFile', 'PackImages', 'SetOriShape', 'train_val_split']
