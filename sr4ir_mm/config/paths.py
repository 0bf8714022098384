"""Paths and model names that a user gives."""

import os.path as osp
import re

from sr4ir_mm.checkpoints.integrity import check_checkpoint
from sr4ir_mm.errors import ConfigError

# baselines that were configs of their own in version 0.1: <protocol>_<recognizer>[_<restorer>][_x<scale>]_<data set>.py
_BASELINE = re.compile(
    r'(.*/)?(?:baselines/(?P<protocol>h2t|l2t|sr|s2t|t2s|s\+t)|demo/(?P<demo>h2t|l2t))_'
    r'(?P<recognizer>[\w-]+?)(_(?P<restorer>edsr|swinir))?(_x(?P<scale>[48]))?_(?P<data>voc|cars|cub|demo)\.py'
)


def check_file(path: str, key: str) -> None:
    """Refuse the path of a local file or folder that does not exist, or the name of a model that no zoo has."""
    if '::' in path:
        from sr4ir_mm.checkpoints import zoo_url  # brings torch, which this package's import shall not

        zoo_url(path)
    elif '://' not in path and not osp.exists(path):
        raise ConfigError(f"{key} is '{path}', which does not exist{_instead(path)}.")


def _instead(path: str) -> str:
    """Return the end of a sentence that says what to write for the config of a baseline, which is an option now."""
    found = _BASELINE.fullmatch(path)
    if not found:
        return ''
    protocol = found['protocol'] or found['demo']
    method = 'demo/sr4ir_' if found['demo'] else 'sr4ir/'
    name = f'{method}{found["recognizer"]}_{found["restorer"] or "edsr"}_x{found["scale"] or 4}_{found["data"]}.py'
    return f'; use configs/{name} --protocol {protocol}'


def check_weights(path: str, key: str) -> None:
    """Refuse a local checkpoint that does not exist or is damaged; of others nothing is known before they are loaded."""
    check_file(path, key)
    if osp.isfile(path):
        check_checkpoint(path)
