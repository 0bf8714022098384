from .checkpoint import AtomicBackend, CheckpointHook
from .dataloader import ReproducibleDataLoader
from .distributed import CascadeDistributedDataParallel, init_dist_without_gpu
from .ema import EMAHook
from .hooks import NonFiniteLossHook, PanelHook, WholeCheckpointHook
from .loops import AlternatingIterTrainLoop, AlternatingTrainLoop
from .memory_format import ChannelsLastHook
from .optim_wrapper import CascadeOptimWrapper, CascadeOptimWrapperConstructor
from .phase import Loss, Phase, build_phases, only_training
from .record import RunRecordHook
from .schedulers import CosineRestartLR, LinearRampLR

__all__ = [
    'AlternatingIterTrainLoop', 'AlternatingTrainLoop', 'AtomicBackend', 'CascadeDistributedDataParallel',
    'CascadeOptimWrapper', 'CascadeOptimWrapperConstructor', 'ChannelsLastHook', 'CheckpointHook', 'CosineRestartLR',
    'EMAHook', 'LinearRampLR', 'Loss', 'NonFiniteLossHook', 'PanelHook', 'Phase', 'ReproducibleDataLoader',
    'RunRecordHook', 'WholeCheckpointHook', 'build_phases', 'init_dist_without_gpu', 'only_training'
]
