"""Errors of classes that are built from a config, told with the key of what was being built."""

import os.path as osp
import traceback
from contextlib import contextmanager
from typing import Any, Iterator, Optional

from mmengine.registry import build_from_cfg

from sr4ir_mm.errors import CheckpointError, ConfigError, quote

from .nodes import walk

# what constructors raise where they cannot work with what they are given
_WRONG_ARGUMENTS = (
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    NotImplementedError,
    TypeError,
    ValueError,
)


@contextmanager
def name_what_is_built(cfg: dict) -> Iterator[None]:
    """Let an error in the constructor of something that a config names say where in the config this is.

    Some mistakes only the class itself can know, for example a depth that its network does not come in. The
    constructor's own error is the cause of the one raised here, and its file and line are in the sentence.

    Args:
        cfg: The config.

    Raises:
        ConfigError: Something could not be built.
    """
    try:
        yield
    except (ConfigError, CheckpointError):
        raise
    except _WRONG_ARGUMENTS as error:
        given = _being_built(error)
        if given is None:
            raise
        frame = traceback.extract_tb(error.__traceback__)[-1]
        reason = str(error.args[0] if isinstance(error, KeyError) and error.args else error)
        raise ConfigError(
            f'{_key_of(given, cfg)} ({given.get("type")}) cannot be built from {_shown(given)}: '
            f'{type(error).__name__}: {quote(reason, 300)} ({osp.basename(frame.filename)}, line {frame.lineno}).'
        ) from error


def _being_built(error: BaseException) -> Optional[dict]:
    """Return the innermost dict that MMEngine was building when an error was raised."""
    found = None
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_name == 'run_iter':
            return None  # what is built in an iteration is the code's, not the config's
        if frame.f_code is build_from_cfg.__code__:
            found = frame.f_locals['cfg']
    return found


def _key_of(given: dict, cfg: dict) -> str:
    """Return the key of the dict in a config that is most like one which is built: builders add and take out keys."""
    best, most = f"something of type '{given.get('type')}'", 0
    for key, node in walk(dict(cfg.items()), ''):
        if str(node.get('type')).split('.')[-1] == str(given.get('type')).split('.')[-1]:
            alike = sum(name in given and _same(given[name], value) for name, value in node.items())
            if alike > most:
                best, most = key.lstrip('.').replace('[', '.').replace(']', ''), alike
    return best


def _same(one: Any, other: Any) -> bool:
    try:
        return bool(one == other)
    except (RuntimeError, ValueError):  # arrays
        return False


def _shown(given: dict) -> str:
    """Return the plain values of a dict for a sentence."""
    plain = {name: value for name, value in given.items() if isinstance(value, (str, int, float)) and name != 'type'}
    plain = {name: value for name, value in plain.items() if not name.startswith('_')}
    return ', '.join(f'{name}={value!r}' for name, value in plain.items()) or 'its settings'
