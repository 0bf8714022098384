from .denoiser import MultiScaleDenoiser
from .interpolation import Interpolation
from .non_local_means import NonLocalMeans
from .spandrel import Spandrel

__all__ = ['Interpolation', 'MultiScaleDenoiser', 'NonLocalMeans', 'Spandrel']
