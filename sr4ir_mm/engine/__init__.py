"""Training: loops, optimizers, several processes, hooks, efficiency."""

from .dataloader import ReproducibleDataLoader
from .distributed import CascadeDistributedDataParallel, init_dist_without_gpu, is_first_process
from .efficiency import apply_efficiency
from .hooks import (
    AtomicBackend,
    DeferredLossHook,
    EfficiencyHook,
    PanelHook,
    PartEMAHook,
    RecognizerHook,
    ReestimateBatchNormHook,
    ResumableCheckpointHook,
    RunRecordHook,
    WholeCheckpointHook,
    reestimate_batch_norm,
)
from .loops import AlternatingIterTrainLoop, AlternatingTrainLoop
from .optim_wrapper import CascadeOptimWrapper, CascadeOptimWrapperConstructor
from .schedulers import CosineRestartLR, LinearRampLR

__all__ = [
    'AlternatingIterTrainLoop',
    'AlternatingTrainLoop',
    'AtomicBackend',
    'CascadeDistributedDataParallel',
    'CascadeOptimWrapper',
    'CascadeOptimWrapperConstructor',
    'ResumableCheckpointHook',
    'CosineRestartLR',
    'PartEMAHook',
    'EfficiencyHook',
    'LinearRampLR',
    'PanelHook',
    'RecognizerHook',
    'ReestimateBatchNormHook',
    'ReproducibleDataLoader',
    'RunRecordHook',
    'DeferredLossHook',
    'WholeCheckpointHook',
    'apply_efficiency',
    'init_dist_without_gpu',
    'is_first_process',
    'reestimate_batch_norm',
]
