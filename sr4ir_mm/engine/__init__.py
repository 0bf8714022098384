from .batch_norm import ReestimateBatchNormHook, reestimate_batch_norm
from .checkpoint import AtomicBackend, CheckpointHook
from .dataloader import ReproducibleDataLoader
from .distributed import CascadeDistributedDataParallel, init_dist_without_gpu, is_first_process
from .ema import EMAHook
from .host_hooks import RecognizerHook
from .hooks import PanelHook, RuntimeInfoHook, WholeCheckpointHook
from .loops import AlternatingIterTrainLoop, AlternatingTrainLoop
from .optim_wrapper import CascadeOptimWrapper, CascadeOptimWrapperConstructor
from .phase import Loss, Phase, build_phases, only_training
from .record import RunRecordHook
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
    'Loss',
    'PanelHook',
    'Phase',
    'RecognizerHook',
    'ReestimateBatchNormHook',
    'ReproducibleDataLoader',
    'RunRecordHook',
    'RuntimeInfoHook',
    'WholeCheckpointHook',
    'build_phases',
    'init_dist_without_gpu',
    'is_first_process',
    'only_training',
    'reestimate_batch_norm',
]
