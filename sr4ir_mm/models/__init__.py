from .backbones import TorchvisionBackbone
from .cascade import Cascade
from .classifier import CascadeClassifier
from .data_preprocessor import CascadeDataPreprocessor
from .degradations import BicubicDownsample, Compose, GaussianNoise
from .detector import CascadeDetector
from .losses import TDPLoss
from .restorers import Interpolation, MultiScaleDenoiser, NonLocalMeans
from .segmentor import CascadeSegmentor

__all__ = [
    'BicubicDownsample', 'Cascade', 'CascadeClassifier', 'CascadeDataPreprocessor', 'CascadeDetector',
    'CascadeSegmentor', 'Compose', 'GaussianNoise', 'Interpolation', 'MultiScaleDenoiser', 'NonLocalMeans', 'TDPLoss',
    'TorchvisionBackbone'
]
