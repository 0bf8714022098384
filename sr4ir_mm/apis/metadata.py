"""What a checkpoint says of its config and its classes, before it is believed."""

from typing import Optional

import numpy as np
from mmengine.config import Config
from mmengine.registry import DATASETS
from torch import nn

from sr4ir_mm.checkpoints import load_checkpoint, trust_checkpoints
from sr4ir_mm.errors import CheckpointError, ConfigError
from sr4ir_mm.utils.images import with_palette


def config_of(weights: str) -> Config:
    """Return the config that a checkpoint carries: it runs, so the checkpoint has to be trusted."""
    with trust_checkpoints():
        checkpoint = load_checkpoint(weights)
    try:
        text = checkpoint.get('message_hub', {}).get('runtime_info', {}).get('cfg')
    except AttributeError:  # these are no dicts
        text = None
    text = text or checkpoint.get('meta', {}).get('cfg')
    if not isinstance(text, str) or not text:
        raise ConfigError(f'The checkpoint {weights} carries no config; give one.')
    return Config.fromstring(text, file_format='.py')


def check_classes(meta: dict, weights: Optional[str]) -> None:
    """Refuse names and colors that cannot be shown: a checkpoint may hold anything there."""
    meta = meta if isinstance(meta, dict) else dict(classes=meta)
    classes, palette = meta.get('classes') or (), meta.get('palette') or ()
    if not isinstance(classes, (list, tuple)) or not all(
        isinstance(name, str) and name.isprintable() and len(name) <= 200 for name in classes
    ):
        raise CheckpointError(f'The checkpoint {weights} has a meta.dataset_meta.classes that is not a list of names.')
    if not isinstance(palette, (list, tuple)) or not all(
        isinstance(color, (list, tuple))
        and len(color) == 3
        and all(isinstance(value, (int, np.integer)) and 0 <= value <= 255 for value in color)
        for color in palette
    ):
        raise CheckpointError(
            f'The checkpoint {weights} has a meta.dataset_meta.palette that is not a list of RGB colors.'
        )


def dataset_meta(model: nn.Module, meta: dict, cfg: Config) -> dict:
    """Return names and colors of the classes: those that the checkpoint knows, else those of the config's data set."""
    dataset = (cfg.get('test_dataloader') or cfg.get('val_dataloader') or {}).get('dataset', {})
    host = DATASETS.get(dataset['type']) if 'type' in dataset else None
    found = {}
    for source in (getattr(host, 'METAINFO', {}), dataset.get('metainfo', {}), meta):
        found.update({key: source[key] for key in ('classes', 'palette') if source.get(key)})
    count = model.task.num_classes if model.recognizer is not None else 0
    count = count or len(found.get('classes', ()))
    if len(found.get('classes', ())) != count:
        found = dict(classes=[f'class {index}' for index in range(count)])
    return with_palette(found.get('classes', ()), found.get('palette'))
