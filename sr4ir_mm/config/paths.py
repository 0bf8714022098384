"""Paths and model names that a user gives."""

import os.path as osp

from sr4ir_mm.checkpoints.integrity import check_checkpoint
from sr4ir_mm.errors import ConfigError

from .first_edition import instead_of_file


def check_file(path: str, key: str) -> None:
    """Refuse the path of a local file or folder that does not exist, or the name of a model that no zoo has."""
    if '::' in path:
        from sr4ir_mm.checkpoints import zoo_url  # brings torch, which this package's import shall not

        zoo_url(path)
    elif '://' not in path and not osp.exists(path):
        raise ConfigError(f"{key} is '{path}', which does not exist{instead_of_file(path)}.")


def check_weights(path: str, key: str) -> None:
    """Refuse a local checkpoint that does not exist or is damaged; others are known once they are loaded."""
    check_file(path, key)
    if osp.isfile(path):
        check_checkpoint(path)
