from .checkpoint import check_checkpoint, check_filled, latest_checkpoint
from .config_check import check_auto_scale_lr, check_config, check_file, check_weights, load_config
from .errors import CheckpointError, ConfigError, check_choice, run_tool
from .evaluators import skip_metrics
from .quote import quote, some

__all__ = [
    'CheckpointError',
    'ConfigError',
    'check_auto_scale_lr',
    'check_checkpoint',
    'check_choice',
    'check_config',
    'check_file',
    'check_filled',
    'check_weights',
    'latest_checkpoint',
    'load_config',
    'quote',
    'run_tool',
    'skip_metrics',
    'some',
]
