from .frequency_embedding import FrequencyEmbedding, HaarTransform
from .hard_samples import HardSamples

__all__ = ['FrequencyEmbedding', 'HaarTransform', 'HardSamples']
