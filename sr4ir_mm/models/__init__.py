from .backbones import TorchvisionBackbone
from .cascade import Cascade
from .classifier import CascadeClassifier
from .data_preprocessor import CascadeDataPreprocessor
from .degradations import BicubicDownsample, Compose
from .detector import CascadeDetector
from .losses import TDPLoss
from .restorers import Interpolation
from .segmentor import CascadeSegmentor

__all__ = [
    'BicubicDownsample', 'Cascade', 'CascadeClassifier', 'CascadeDataPreprocessor', 'CascadeDetector',
    'CascadeSegmentor', 'Compose', 'Interpolation', 'TDPLoss', 'TorchvisionBackbone'
]
