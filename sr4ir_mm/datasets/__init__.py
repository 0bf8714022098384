from .transforms import CQMix, LoadImageFromFile, PackImages, SetOriShape

__all__ = ['CQMix', 'LoadImageFromFile', 'PackImages', 'SetOriShape']
