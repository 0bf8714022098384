"""Embedding networks of contrastive learning and their samples."""

from .frequency_embedding import FrequencyEmbedding, HaarTransform
from .hard_samples import HardSamples
from .vgg_embedding import VGGEmbedding

__all__ = ['FrequencyEmbedding', 'HaarTransform', 'HardSamples', 'VGGEmbedding']
