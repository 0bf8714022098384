"""Checks of a config before anything is built."""

import json
import os
import os.path as osp
from difflib import get_close_matches
from typing import Dict, Optional, Sequence, Tuple

from mmengine.config import Config
from mmengine.fileio import exists, join_path

from sr4ir_mm.errors import ConfigError

from .arguments import check_arguments
from .first_edition import check_first_edition
from .nodes import walk
from .paths import check_weights
from .runner_keys import check_dicts

# What MMEngine's runner reads; anything else at the top of a config is a variable of its author.
RUNNER_KEYS = (
    'model',
    'work_dir',
    'train_dataloader',
    'val_dataloader',
    'test_dataloader',
    'train_cfg',
    'val_cfg',
    'test_cfg',
    'auto_scale_lr',
    'optim_wrapper',
    'param_scheduler',
    'val_evaluator',
    'test_evaluator',
    'default_hooks',
    'custom_hooks',
    'data_preprocessor',
    'load_from',
    'resume',
    'launcher',
    'env_cfg',
    'log_processor',
    'log_level',
    'visualizer',
    'default_scope',
    'randomness',
    'experiment_name',
    'custom_imports',
    'activation_checkpointing',
    'efficiency',
    'efficient_conv_bn_eval',
    'compile',
    'model_wrapper_cfg',
    'sync_bn',
    'find_unused_parameters',
)
# what --protocol and tools/compare.py read besides
_READ_KEYS = (*RUNNER_KEYS, 'baseline_param_scheduler')


def check_config(cfg: Config, overrides: Sequence[str] = ()) -> None:
    """Refuse a config whose mistake would show late, in other words, or never.

    Args:
        cfg: The config, command-line overrides merged.
        overrides: The keys given by ``--cfg-options``.

    Raises:
        ConfigError: With the key, the value found and what is allowed.
    """
    check_first_edition(cfg)
    _check_keys(cfg, overrides)
    check_dicts(cfg)
    if cfg.get('sync_bn'):
        raise ConfigError(
            f"sync_bn is '{cfg.sync_bn}', with which MMEngine would convert frozen parts too; "
            f"write model_wrapper_cfg.sync_bn='{cfg.sync_bn}', which converts only the trained parts."
        )
    _check_checkpoints(cfg)
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        if cfg.get(name):
            _check_dataset(cfg[name].get('dataset', {}), f'{name}.dataset')
            _check_lr_scale(cfg[name].get('dataset', {}), f'{name}.dataset', cfg.get('model', {}).get('scale'))
    _check_crop(cfg)
    _check_counts(cfg)
    check_arguments(cfg)


def _check_counts(cfg: Config) -> None:
    """Refuse lengths of nothing: MMEngine trains no epoch without a word, or divides by zero at the end of one."""
    counts: Dict[str, Tuple[str, ...]] = dict(train_cfg=('max_epochs', 'max_iters', 'val_interval'))
    counts.update({f'{split}_dataloader': ('batch_size',) for split in ('train', 'val', 'test')})
    for key, names in counts.items():
        for name in names:
            value = (cfg.get(key) or {}).get(name, 1)
            if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
                raise ConfigError(f'{key}.{name} is {value!r}; allowed: a whole number from 1.')


def _check_keys(cfg: Config, overrides: Sequence[str]) -> None:
    """A config may define variables, so only a near miss of a known key is taken for a mistake."""
    for key in cfg:
        near = get_close_matches(key, _READ_KEYS, n=1, cutoff=0.85)
        if key not in _READ_KEYS and near:
            raise ConfigError(
                f"The config has the top-level key '{key}', which nothing reads; did you mean '{near[0]}'?"
            )
    for key in overrides:
        top = key.split('.')[0]
        if top not in _READ_KEYS:
            near = get_close_matches(top, _READ_KEYS, n=1)
            raise ConfigError(
                f"--cfg-options sets '{key}', but nothing reads the top-level key '{top}' any more; "
                + (
                    f"did you mean '{near[0]}'?"
                    if near
                    else 'set the keys that were made from it, for example train_dataloader.dataset.…'
                )
            )


def check_auto_scale_lr(cfg: Config) -> None:
    """Refuse to scale learning rates of which nobody knows the batch they belong to.

    Raises:
        ConfigError: ``auto_scale_lr.base_batch_size`` is missing or no number from 1.
    """
    base = (cfg.get('auto_scale_lr') or {}).get('base_batch_size')
    if not isinstance(base, int) or isinstance(base, bool) or base < 1:
        raise ConfigError(
            f'--auto-scale-lr is given, but auto_scale_lr.base_batch_size is {base!r}; set it to the number of '
            'images, of all processes, that the learning rates of the config belong to, for example '
            'auto_scale_lr=dict(base_batch_size=16).'
        )


def _check_checkpoints(cfg: Config) -> None:
    if cfg.get('load_from'):
        check_weights(cfg.load_from, 'load_from')
    for key, node in walk(cfg.get('model', {}), 'model'):
        if node.get('type') == 'Pretrained':
            check_weights(node.get('checkpoint', ''), f'{key}.checkpoint')
        elif node.get('type') == 'sr4ir_mm.Spandrel' and node.get('checkpoint'):
            check_weights(node['checkpoint'], f'{key}.checkpoint')


def _check_dataset(dataset: dict, key: str) -> None:
    """Look for the folders and files that a data set names; wrapped data sets are looked into."""
    for place, node in walk(dataset, key):
        root = node.get('data_root')
        if not isinstance(root, str) or '.pipeline' in place:
            continue
        if not exists(root):
            raise ConfigError(
                f"{place}.data_root is '{root}', which does not exist; "
                f'see docs/datasets.md for how a data set is arranged.'
            )
        if isinstance(node.get('ann_file'), str) and node['ann_file']:
            path = join_path(root, node['ann_file'])
            if not exists(path):
                raise ConfigError(
                    f"{place}.ann_file is '{node['ann_file']}', but '{path}' does not exist{_siblings(path)}."
                )
            if osp.isfile(path) and _is_empty(path):
                raise ConfigError(f"{place}.ann_file is '{node['ann_file']}', but '{path}' is empty.")
        prefixes = node.get('data_prefix') or {}
        for name, prefix in prefixes.items() if isinstance(prefixes, dict) else [('', prefixes)]:
            path = join_path(root, prefix) if isinstance(prefix, str) else root
            if not exists(path):
                raise ConfigError(f"{place}.data_prefix.{name} is '{prefix}', but '{path}' does not exist.")


def _check_lr_scale(dataset: dict, key: str, scale: Optional[int]) -> None:
    """Compare the scale of low-resolution images that a pipeline makes with that of the model."""
    for place, node in walk(dataset, key):
        if node.get('type') == 'sr4ir_mm.DegradeToLR' and node.get('scale') != scale:
            raise ConfigError(
                f'{place}.scale is {node.get("scale")}, but model.scale is {scale}; both must be the same.'
            )


def _is_empty(path: str) -> bool:
    """Return whether an annotation file has no line, or, in JSON, no image."""
    with open(path, 'rb') as file:
        start = file.read(4096).strip()
    if len(start) == 4096 or not path.endswith('.json'):  # a longer one has something in it
        return not start
    try:
        content = json.loads(start or 'null')
    except ValueError:
        return False  # the data set says what is wrong with it
    return not (content.get('images', content.get('data_list', content)) if isinstance(content, dict) else content)


def _siblings(path: str) -> str:
    """Name what else is in the folder of a file that is missing: the splits there are."""
    folder = osp.dirname(path)
    names = sorted(os.listdir(folder)) if osp.isdir(folder) else []
    return f'; allowed, as in {folder}: {", ".join(names[:10])}' if names else ''


def _crop_size(pipeline: Sequence[dict]) -> Optional[Tuple[int, int]]:
    """Height and width of what the last cropping transform leaves."""
    for transform in reversed(pipeline):
        size = transform.get(
            'crop_size', transform.get('scale') if 'ResizedCrop' in transform.get('type', '') else None
        )
        if size is not None:
            return (size, size) if isinstance(size, int) else tuple(size)
    return None


def _check_crop(cfg: Config) -> None:
    """Compare the size of training images with the scale and the windows of the restorer."""
    model = cfg.get('model', {})
    scale = model.get('scale')
    dataset = (cfg.get('train_dataloader') or {}).get('dataset', {})
    for key, node in walk(dataset, 'train_dataloader.dataset'):
        size = _crop_size(node['pipeline']) if node.get('pipeline') else None
        if size is None or not isinstance(scale, int) or model.get('restorer') is None:
            continue
        if any(side % scale for side in size):
            raise ConfigError(
                f'{key}.pipeline crops to {size[0]}×{size[1]} pixels, which is not a multiple of '
                f'model.scale, {scale}; allowed: for example {size[0] // scale * scale}.'
            )
        if model['restorer'].get('type') == 'sr4ir_mm.Spandrel':
            continue  # which pads what is smaller than a window
        window = model['restorer'].get('window_size', 1)
        if min(size) // scale < window:
            raise ConfigError(
                f'{key}.pipeline crops to {size[0]}×{size[1]} pixels, which become '
                f'{min(size) // scale} with model.scale {scale}, but model.restorer has windows of {window}; '
                f'allowed: crops of at least {window * scale} pixels.'
            )
