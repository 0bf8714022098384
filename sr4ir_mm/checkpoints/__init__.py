"""Checkpoints: safe reading, checks, parts, converters and export."""

from sr4ir_mm.checkpoints.doors import check_doors
from sr4ir_mm.checkpoints.loader import (
    download,
    load_checkpoint,
    read_file,
    safe_loading,
    save_checkpoint,
    trust_checkpoints,
    use_safe_loader,
)
from sr4ir_mm.checkpoints.parts import Report, check_nested, load_part, weights_of
from sr4ir_mm.checkpoints.zoo import zoo_url

__all__ = [
    'Report',
    'check_doors',
    'check_nested',
    'download',
    'load_checkpoint',
    'load_part',
    'read_file',
    'safe_loading',
    'save_checkpoint',
    'trust_checkpoints',
    'use_safe_loader',
    'weights_of',
    'zoo_url',
]
