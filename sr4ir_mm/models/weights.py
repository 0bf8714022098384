"""Builds the parts of a cascade and fills them with their first weights."""

from typing import Any, Dict, Optional, Tuple, Union

from mmengine.model import initialize
from torch import nn

from sr4ir_mm.checkpoints import check_doors, check_nested, load_part
from sr4ir_mm.errors import ConfigError, check_choice
from sr4ir_mm.registry import MODELS


def build(part: Union[nn.Module, dict, None], key: str) -> Optional[nn.Module]:
    """Build a network or a term from its config, in the scope of its own library, or return one that is built.

    Args:
        part: The config, or what is built from it.
        key: Where it stands in the config, for messages.
    """
    if part is None or isinstance(part, nn.Module):
        return part
    if not isinstance(part, dict):
        raise TypeError(f'{key} must be a module or its config, but is {type(part).__name__}.')
    part = dict(part)
    check_doors(part, key)
    scope, _, name = str(part.get('type', '')).partition('.')
    if name and scope != 'torch':  # which MMEngine finds, but is no scope
        part.setdefault('_scope_', scope)
    return MODELS.build(part)


def take_init_cfg(name: str, part: Any) -> Tuple[Any, Optional[dict]]:
    """Separate a part's config from what it says of its first weights, where the cascade sees to those.

    Not every restorer knows ``init_cfg``, and no network tells what it has loaded.

    Returns:
        The config without ``init_cfg``, and that, or None where the network does it itself.
    """
    if not isinstance(part, dict):
        return part, None
    part = dict(part)
    if name == 'restorer' or is_pretrained(part.get('init_cfg')):
        return part, part.pop('init_cfg', None)
    return part, None


def is_pretrained(init_cfg: Union[dict, list, None]) -> bool:
    """Return whether an ``init_cfg`` names a checkpoint."""
    return isinstance(init_cfg, dict) and init_cfg.get('type') == 'Pretrained'


def init_parts(parts: Dict[str, nn.Module], init_cfgs: Dict[str, dict]) -> None:
    """Initialize the parts of which :func:`take_init_cfg` has taken an ``init_cfg``; check those of the others."""
    for name, init_cfg in init_cfgs.items():
        if is_pretrained(init_cfg):
            _load(parts[name], name, init_cfg)
        else:
            initialize(parts[name], init_cfg)
        # or the network's own init_weights would overwrite what was just loaded
        parts[name]._is_init = True
    for name, part in parts.items():
        if not getattr(part, '_is_init', False):
            check_nested(part, f'model.{name}')


def load_whole(parts: Dict[str, nn.Module], init_cfgs: Dict[str, dict]) -> None:
    """Fill each part, wholly, from the checkpoint that its ``init_cfg`` names: to test what was trained apart.

    Raises:
        ConfigError: A part has no such ``init_cfg``.
        CheckpointError: Its checkpoint lacks some weights.
    """
    for name, part in parts.items():
        if name not in init_cfgs and getattr(part, 'pretrained', False):
            continue  # its weights came when it was built
        if not is_pretrained(init_cfgs.get(name)):
            raise ConfigError(
                f'model.{name}.init_cfg does not say where the weights come from, and no checkpoint '
                f"of the whole is given; set dict(type='Pretrained', checkpoint=…) or give one."
            )
        _load(part, name, init_cfgs[name], whole=True)


def _load(part: nn.Module, name: str, init_cfg: dict, whole: bool = False) -> None:
    key, args = f'model.{name}.init_cfg', dict(init_cfg)
    args.pop('type')
    args.pop('map_location', None)
    for arg in args:
        check_choice(arg, ('checkpoint', 'prefix', 'reinit'), f'a key of {key}')
    if whole and args.get('reinit'):
        raise ConfigError(f'{key}.reinit leaves {args["reinit"]} at random, but a test needs all weights.')
    load_part(part, key=key, whole=whole, **args)
