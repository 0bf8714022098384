from .transforms import Cached, CQMix, DegradeToLR, LoadImageFromFile, PackImages, SetOriShape

__all__ = ['Cached', 'CQMix', 'DegradeToLR', 'LoadImageFromFile', 'PackImages', 'SetOriShape']
