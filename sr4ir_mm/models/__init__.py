from . import heads  # noqa: F401  registers them
from .backbones import TorchvisionBackbone
from .cascade import Cascade
from .classifier import CascadeClassifier
from .data_preprocessor import CascadeDataPreprocessor
from .degradations import BicubicDownsample, Compose, GaussianNoise
from .detector import CascadeDetector
from .embeddings import FrequencyEmbedding, HaarTransform, HardSamples, VGGEmbedding
from .losses import ContrastiveLoss, TDPLoss
from .restoration import CascadeRestorer
from .restorers import Interpolation, MultiScaleDenoiser, NonLocalMeans, Spandrel
from .segmentor import CascadeSegmentor

__all__ = [
    'BicubicDownsample',
    'Cascade',
    'CascadeClassifier',
    'CascadeDataPreprocessor',
    'CascadeDetector',
    'CascadeRestorer',
    'CascadeSegmentor',
    'Compose',
    'ContrastiveLoss',
    'FrequencyEmbedding',
    'GaussianNoise',
    'HaarTransform',
    'HardSamples',
    'Interpolation',
    'MultiScaleDenoiser',
    'NonLocalMeans',
    'Spandrel',
    'TDPLoss',
    'TorchvisionBackbone',
    'VGGEmbedding',
]
