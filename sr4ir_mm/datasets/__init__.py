from .transforms import CQMix, DegradeToLR, LoadImageFromFile, SetOriShape

__all__ = ['CQMix', 'DegradeToLR', 'LoadImageFromFile', 'SetOriShape']
