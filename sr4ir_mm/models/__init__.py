"""The cascade and what it is made of: parts, degradations, loss terms and tasks."""

from . import heads  # noqa: F401  registers them
from .backbones import TorchvisionBackbone
from .cascade import Cascade, CascadeClassifier, CascadeDetector, CascadeRestorer, CascadeSegmentor
from .data_preprocessor import CascadeDataPreprocessor
from .degradations import BicubicDownsample, Compose, Degradation, GaussianNoise
from .embeddings import FrequencyEmbedding, HaarTransform, HardSamples, VGGEmbedding
from .losses import ContrastiveLoss, EmbeddingLoss, ImageLoss, LossTerm, TaskLossCQMix, TaskLossHR, TaskLossSR, TDPLoss
from .phases import Loss, Phase, build_phases, only_training
from .restorers import Interpolation, MultiScaleDenoiser, NonLocalMeans, Restorer, Spandrel
from .tasks import ClassificationTask, DetectionTask, SegmentationTask, Task

__all__ = [
    'BicubicDownsample',
    'Cascade',
    'CascadeClassifier',
    'CascadeDataPreprocessor',
    'CascadeDetector',
    'CascadeRestorer',
    'CascadeSegmentor',
    'ClassificationTask',
    'Compose',
    'ContrastiveLoss',
    'Degradation',
    'DetectionTask',
    'EmbeddingLoss',
    'FrequencyEmbedding',
    'GaussianNoise',
    'HaarTransform',
    'HardSamples',
    'ImageLoss',
    'Interpolation',
    'Loss',
    'LossTerm',
    'MultiScaleDenoiser',
    'NonLocalMeans',
    'Phase',
    'Restorer',
    'SegmentationTask',
    'Spandrel',
    'TDPLoss',
    'Task',
    'TaskLossCQMix',
    'TaskLossHR',
    'TaskLossSR',
    'TorchvisionBackbone',
    'VGGEmbedding',
    'build_phases',
    'only_training',
]
