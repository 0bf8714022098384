"""The model zoos of the host libraries, by the metafiles that they install."""

import os.path as osp
from difflib import get_close_matches
from functools import lru_cache
from importlib.util import find_spec
from typing import Dict

import yaml

from sr4ir_mm.errors import ConfigError, check_choice

#: the libraries that parts come from
ZOO_SCOPES = ('mmseg', 'mmdet', 'mmpretrain', 'mmagic')


def zoo_url(name: str) -> str:
    """Where the published weights of a model are.

    Args:
        name: ``<library>::<model>``: a name in its metafiles, or the path of a config below its ``configs``, with or
            without ``.py``; for example ``mmseg::fcn_r50-d8_4xb2-40k_cityscapes-512x1024``.

    Raises:
        ConfigError: The library is not installed, does not know the model, or has not published weights of it.
    """
    scope, _, model = name.partition('::')
    urls = _weights(check_choice(scope, ZOO_SCOPES, 'the library of a checkpoint'))
    model = model.removesuffix('.py')
    if model not in urls:
        near = ', '.join(f"'{name}'" for name in get_close_matches(model, urls, n=3))
        raise ConfigError(
            f"{scope} has no model or config named '{model}' in its metafiles"
            + (f'; the nearest are {near}.' if near else '.')
        )
    url = urls[model]
    if not url:
        raise ConfigError(
            f'{scope} has not published weights of {model}; {len([1 for each in urls.values() if each])} '
            'other names of its metafiles have some.'
        )
    return url


@lru_cache
def _weights(scope: str) -> Dict[str, str]:
    """The URL of each model, by its name and by its config; empty where there is none."""
    spec = find_spec(scope)
    if spec is None or spec.origin is None:
        raise ConfigError(f'A checkpoint of {scope}:: is asked for, but {scope} is not installed.')
    root = osp.join(osp.dirname(spec.origin), '.mim')
    with open(osp.join(root, 'model-index.yml'), encoding='utf-8') as file:
        metafiles = yaml.safe_load(file)['Import']
    urls = {}
    for metafile in metafiles:
        with open(osp.join(root, metafile), encoding='utf-8') as file:
            content = yaml.load(file, _YAMLLoader) or {}
        for model in content.get('Models') or () if isinstance(content, dict) else ():
            url = model.get('Weights') or ''
            urls[model['Name']] = url
            if model.get('Config'):
                urls[model['Config'].removeprefix('configs/').removesuffix('.py')] = url
    return urls


_YAMLLoader = getattr(yaml, 'CSafeLoader', yaml.SafeLoader)
