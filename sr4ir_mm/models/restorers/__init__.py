"""Restorers of our own, and the adapter for those of mmagic and spandrel."""

from torch import nn

from sr4ir_mm.registry import MODELS

from .base import Restorer, RestorerAdapter
from .denoiser import MultiScaleDenoiser
from .interpolation import Interpolation
from .non_local_means import NonLocalMeans
from .spandrel import Spandrel

__all__ = [
    'Interpolation',
    'MultiScaleDenoiser',
    'NonLocalMeans',
    'Restorer',
    'RestorerAdapter',
    'Spandrel',
]


# registered by a function: mmagic, which it derives from, takes seconds that other restorers need not wait
@MODELS.register_module(name='SwinIR')
def _swinir(**kwargs) -> nn.Module:
    from .swinir import SwinIR

    return SwinIR(**kwargs)
