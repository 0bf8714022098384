"""Degradations: what makes ``lr`` from ``hr``, once per iteration."""

from .base import Degradation, degrade, image_generator, quantize
from .bicubic import BicubicDownsample
from .compose import Compose
from .noise import GaussianNoise

__all__ = ['BicubicDownsample', 'Compose', 'Degradation', 'GaussianNoise', 'degrade', 'image_generator', 'quantize']
