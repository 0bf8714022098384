"""From a cascade's checkpoint to checkpoints that know nothing of cascades."""

import hashlib
import os
import os.path as osp
import re
from collections import OrderedDict
from datetime import datetime
from typing import Any, Dict, Optional

import numpy as np
from mmengine.config import Config
from torch import Tensor

from sr4ir_mm.errors import CheckpointError, quote, some

from .converters import for_mmagic
from .loader import load_checkpoint, save_checkpoint
from .parts import weights_of

#: the modules of a cascade that can have weights: its parts, and losses with a network of their own
PARTS = ('restorer', 'recognizer', 'embedding', 'degradation', 'pixel', 'tdp', 'contrastive')


def export_parts(checkpoint: str, out_dir: str, cfg: Optional[Config] = None) -> Dict[str, str]:
    """Write each part as a checkpoint that its own library reads.

    They hold tensors, numbers and text only, so that ``torch.load(weights_only=True)`` reads them too.

    Args:
        checkpoint: Of a cascade.
        out_dir: Gets ``recognizer.pth`` and ``restorer.pth`` (the latter as mmagic has it, ``generator.…``).
        cfg: The config that the cascade was trained with. With it ``recognizer.py`` and ``restorer.py`` are written,
            the models as configs of their libraries. (The text of it that a checkpoint carries is not used: a config is
            code.)

    Returns:
        The files by the names of the parts.
    """
    content = load_checkpoint(checkpoint)
    weights = weights_of(content, checkpoint)
    meta = plain(content.get('meta', {}))
    meta.pop('cfg', None)
    configs = {} if cfg is None else _configs(cfg)
    parts: Dict[str, Dict[str, Tensor]] = OrderedDict()
    for name, value in weights.items():
        part, _, name = name.partition('.')
        parts.setdefault(part, OrderedDict())[name] = value
    if not parts.keys() & {'restorer', 'recognizer'}:
        raise CheckpointError(
            f'The checkpoint {checkpoint} is not that of a cascade: it has no weights below `restorer` or '
            f'`recognizer`, but {some(weights)}.'
        )
    for part in parts:  # they become names of files
        if part not in PARTS:
            raise CheckpointError(
                f'The checkpoint {checkpoint} has weights below {quote(part)}, which is not a part of a '
                f'cascade; its parts are {", ".join(PARTS)}.'
            )
    files = {}
    for part, state in parts.items():
        own_meta = dict(meta)
        if part in configs:
            os.makedirs(out_dir, exist_ok=True)
            configs[part].dump(osp.join(out_dir, f'{part}.py'))
            own_meta['cfg'] = configs[part].pretty_text
        state = for_mmagic(state) if part == 'restorer' else state
        files[part] = osp.join(out_dir, f'{part}.pth')
        save_checkpoint(dict(meta=own_meta, state_dict=state), files[part])
    return files


#: what mmagic calls the restorers of ours that are its own networks
_MMAGIC_TYPES = {'sr4ir_mm.SwinIR': 'SwinIRNet'}


def _configs(cfg: Config) -> Dict[str, Config]:
    model, configs = cfg.model, {}
    if model.get('recognizer'):
        recognizer = dict(model.recognizer)
        if model.get('data_preprocessor'):
            recognizer.setdefault('data_preprocessor', model.data_preprocessor)
        recognizer.pop('init_cfg', None)
        scope = recognizer.pop('_scope_', cfg.get('default_scope'))
        configs['recognizer'] = Config(dict(default_scope=scope, model=recognizer))
    if model.get('restorer'):
        restorer = {
            key: value for key, value in model.restorer.items() if key not in ('init_cfg', '_scope_', 'value_range')
        }
        # what mmagic divides its images by, 0–255, and multiplies its results with
        std = 255 / model.restorer.get('value_range', 1)
        configs['restorer'] = Config(
            dict(
                default_scope='mmagic',
                model=dict(
                    type='BaseEditModel',
                    generator=dict(
                        restorer, type=_MMAGIC_TYPES.get(restorer['type'], restorer['type'].removeprefix('mmagic.'))
                    ),
                    pixel_loss=dict(type='L1Loss'),
                    data_preprocessor=dict(type='DataPreprocessor', mean=[0.0] * 3, std=[std] * 3),
                ),
            )
        )
    return configs


def publish(checkpoint: str, out: str) -> str:
    """Keep what a user of the weights needs, and put a hash into the name.

    Args:
        checkpoint: Any checkpoint.
        out: Where to write, ``….pth`` or ``….safetensors``.

    Returns:
        ``<out without its ending>_<date>-<first 8 digits of the file's SHA-256>.<ending>``.
    """
    content = load_checkpoint(checkpoint)
    meta = plain(content.get('meta', {}))
    stem, ending = osp.splitext(out)
    draft = f'{stem}.{os.getpid()}{ending}'
    save_checkpoint(dict(meta=meta, state_dict=OrderedDict(weights_of(content, checkpoint))), draft)
    with open(draft, 'rb') as file:
        digest = hashlib.sha256(file.read()).hexdigest()[:8]
    path = f'{re.sub(r"[-_]$", "", stem)}_{datetime.now():%Y%m%d}-{digest}{ending}'
    os.replace(draft, path)
    return path


def plain(value: Any) -> Any:
    """Containers, numbers and text as they are; NumPy's as Python's, configs as dicts; anything else is left out."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items() if _is_plain(each)}
    if isinstance(value, (list, tuple)):
        return (tuple if isinstance(value, tuple) else list)(plain(each) for each in value if _is_plain(each))
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value


def _is_plain(value: Any) -> bool:
    return isinstance(value, (dict, list, tuple, str, int, float, bool, type(None), np.ndarray, np.generic))
