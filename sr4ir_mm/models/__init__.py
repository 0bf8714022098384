from . import heads  # noqa: F401  registers them
from .backbones import TorchvisionBackbone
from .cascade import Cascade
from .data_preprocessor import CascadeDataPreprocessor
from .degradations import BicubicDownsample, Compose, GaussianNoise
from .embeddings import FrequencyEmbedding, HaarTransform, HardSamples, VGGEmbedding
from .losses import ContrastiveLoss, TDPLoss
from .phases import Loss, Phase, build_phases, only_training
from .restorers import Interpolation, MultiScaleDenoiser, NonLocalMeans, Spandrel
from .tasks import CascadeClassifier, CascadeDetector, CascadeRestorer, CascadeSegmentor

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
    'Loss',
    'MultiScaleDenoiser',
    'NonLocalMeans',
    'Phase',
    'Spandrel',
    'TDPLoss',
    'TorchvisionBackbone',
    'VGGEmbedding',
    'build_phases',
    'only_training',
]
