"""Hooks of training, validation and tests."""

from .batch_norm import ReestimateBatchNormHook, reestimate_batch_norm
from .checkpoint import AtomicBackend, CheckpointHook
from .ema import EMAHook
from .host import RecognizerHook
from .panel import PanelHook
from .record import RunRecordHook
from .runtime_info import RuntimeInfoHook
from .whole_checkpoint import WholeCheckpointHook

__all__ = [
    'AtomicBackend',
    'CheckpointHook',
    'EMAHook',
    'PanelHook',
    'RecognizerHook',
    'ReestimateBatchNormHook',
    'RunRecordHook',
    'RuntimeInfoHook',
    'WholeCheckpointHook',
    'reestimate_batch_norm',
]
