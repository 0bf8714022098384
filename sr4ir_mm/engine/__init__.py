from .dataloader import ReproducibleDataLoader
from .distributed import CascadeDistributedDataParallel, init_dist_without_gpu, is_first_process
from .hooks import (
    AtomicBackend,
    CheckpointHook,
    EMAHook,
    PanelHook,
    RecognizerHook,
    ReestimateBatchNormHook,
    RunRecordHook,
    RuntimeInfoHook,
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
    'CheckpointHook',
    'CosineRestartLR',
    'EMAHook',
    'LinearRampLR',
    'PanelHook',
    'RecognizerHook',
    'ReestimateBatchNormHook',
    'ReproducibleDataLoader',
    'RunRecordHook',
    'RuntimeInfoHook',
    'WholeCheckpointHook',
    'init_dist_without_gpu',
    'is_first_process',
    'reestimate_batch_norm',
]
