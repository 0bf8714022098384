"""Hooks of training, validation and tests."""

from .batch_norm import ReestimateBatchNormHook, reestimate_batch_norm
from .checkpoint import AtomicBackend, ResumableCheckpointHook
from .efficiency import EfficiencyHook
from .ema import PartEMAHook
from .host import RecognizerHook
from .panel import PanelHook
from .record import RunRecordHook
from .runtime_info import DeferredLossHook
from .whole_checkpoint import WholeCheckpointHook

__all__ = [
    'AtomicBackend',
    'ResumableCheckpointHook',
    'PartEMAHook',
    'EfficiencyHook',
    'PanelHook',
    'RecognizerHook',
    'ReestimateBatchNormHook',
    'RunRecordHook',
    'DeferredLossHook',
    'WholeCheckpointHook',
    'reestimate_batch_norm',
]
