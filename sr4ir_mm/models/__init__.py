from .backbones import TorchvisionBackbone
from .cascade import Cascade
from .classifier import CascadeClassifier
from .data_preprocessor import CascadeDataPreprocessor
from .degradations import BicubicDownsample, Compose
from .detector import CascadeDetector
from .embeddings import FrequencyEmbedding, HaarTransform, HardSamples
from .losses import ContrastiveLoss, TDPLoss
from .restoration import CascadeRestorer
from .restorers import Interpolation
from .segmentor import CascadeSegmentor

__all__ = [
    'BicubicDownsample', 'Cascade', 'CascadeClassifier', 'CascadeDataPreprocessor', 'CascadeDetector',
    'CascadeRestorer', 'CascadeSegmentor', 'Compose', 'ContrastiveLoss', 'FrequencyEmbedding', 'HaarTransform',
    'HardSamples', 'Interpolation', 'TDPLoss', 'TorchvisionBackbone'
]
