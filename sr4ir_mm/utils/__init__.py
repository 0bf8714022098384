from .checkpoints import check_filled
from .config_check import check_config, check_file, load_config
from .errors import CheckpointError, ConfigError, check_choice

__all__ = [
    'CheckpointError', 'ConfigError', 'check_choice', 'check_config', 'check_file', 'check_filled', 'load_config'
]
