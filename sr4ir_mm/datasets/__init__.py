from .transforms import CQMix, LoadImageFromFile, SetOriShape

__all__ = ['CQMix', 'LoadImageFromFile', 'SetOriShape']
