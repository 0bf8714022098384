"""Configs: reading them, and what can be known to be wrong with them before anything is built."""

from .check import RUNNER_KEYS, check_auto_scale_lr, check_config
from .evaluators import check_metric_weights, skip_metrics
from .first_edition import check_first_edition
from .load import load_config
from .paths import check_file, check_weights

__all__ = [
    'RUNNER_KEYS',
    'check_auto_scale_lr',
    'check_config',
    'check_file',
    'check_first_edition',
    'check_metric_weights',
    'check_weights',
    'load_config',
    'skip_metrics',
]
