from .transforms import CQMix, DegradeToLR, LoadImageFromFile, PackImages, SetOriShape

__all__ = ['CQMix', 'DegradeToLR', 'LoadImageFromFile', 'PackImages', 'SetOriShape']
