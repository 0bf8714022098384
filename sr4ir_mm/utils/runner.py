"""What hooks and loops ask a runner."""

from typing import Any

from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import nn


def unwrap(model: nn.Module) -> Any:
    """Return the model itself, where a wrapper for distributed training is around it."""
    return model.module if is_model_wrapper(model) else model


def loaded_from(runner: Runner) -> str:
    """Return the name of the checkpoint that a runner reads, for messages."""
    return runner._load_from or f'the latest checkpoint in {runner.work_dir}'
