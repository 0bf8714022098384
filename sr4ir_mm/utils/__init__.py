from .config_check import check_config, check_file, load_config
from .errors import ConfigError, check_choice

__all__ = ['ConfigError', 'check_choice', 'check_config', 'check_file', 'load_config']
