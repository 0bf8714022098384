from .hooks import NonFiniteLossHook, PanelHook, WholeCheckpointHook
from .loops import AlternatingIterTrainLoop, AlternatingTrainLoop
from .optim_wrapper import CascadeOptimWrapper, CascadeOptimWrapperConstructor
from .phase import Loss, Phase, build_phases, only_training
from .record import RunRecordHook
from .schedulers import CosineRestartLR, LinearRampLR

__all__ = [
    'AlternatingIterTrainLoop', 'AlternatingTrainLoop', 'CascadeOptimWrapper', 'CascadeOptimWrapperConstructor',
    'CosineRestartLR', 'LinearRampLR', 'Loss', 'NonFiniteLossHook', 'PanelHook', 'Phase', 'RunRecordHook',
    'WholeCheckpointHook', 'build_phases', 'only_training'
]
