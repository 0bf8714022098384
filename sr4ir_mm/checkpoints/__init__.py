from .doors import check_doors
from .loader import download, load_checkpoint, read_file, save_checkpoint, trust_checkpoints, use_safe_loader
from .parts import Report, check_nested, load_part, weights_of
from .zoo import zoo_url

__all__ = [
    'Report',
    'check_doors',
    'check_nested',
    'download',
    'load_checkpoint',
    'load_part',
    'read_file',
    'save_checkpoint',
    'trust_checkpoints',
    'use_safe_loader',
    'weights_of',
    'zoo_url',
]
