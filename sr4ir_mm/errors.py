"""Errors that are told to users in one sentence, and what makes such sentences safe to print."""

import os
import re
import time
from difflib import get_close_matches
from typing import Any, Callable, Iterable, TypeVar

_Value = TypeVar('_Value')

_PLAIN = re.compile(r'[\w.:/+-]*', re.ASCII)


class ConfigError(ValueError):
    """A mistake in a config, a path or an argument, told in one sentence."""


class CheckpointError(OSError):
    """A checkpoint that cannot be written, or that is damaged, told in one sentence."""


def check_choice(value: _Value, allowed: Iterable[_Value], key: str) -> _Value:
    """Return ``value`` if it is one of ``allowed``.

    Args:
        value: What the user wrote.
        allowed: What may be written there.
        key: Where it stands, as the user knows it (``train_cfg.phases[0].update``).

    Raises:
        ConfigError: It is none of them; the sentence suggests the nearest one.
    """
    allowed = list(allowed)
    if value in allowed:
        return value
    near = get_close_matches(str(value), map(str, allowed), n=1)
    hint = f" Did you mean '{near[0]}'?" if near else ''
    raise ConfigError(f'{key} is {value!r}; allowed: {", ".join(map(repr, allowed)) or "nothing here"}.{hint}')


def run_tool(main: Callable) -> None:
    """Run a command; a mistake of its user ends it with one sentence instead of a traceback."""
    try:
        _name_lost_workers(main)
    except (ConfigError, CheckpointError, FloatingPointError, RuntimeError) as error:
        sentence = str(error)
        if type(error) is RuntimeError:
            if not str(error).startswith('DataLoader worker'):
                raise
            sentence = (
                f'{error} Often the memory of the machine was not enough: try fewer workers '
                '(train_dataloader.num_workers) or smaller batches. --resume continues from the last checkpoint.'
            )
        process = f" in process {os.environ['RANK']}" if int(os.environ.get('WORLD_SIZE', 1)) > 1 else ''
        raise SystemExit(f'error{process}: {sentence}') from error


def _name_lost_workers(main: Callable) -> None:
    """Run; where a worker dies while it hands over a batch, let that be the error, not the broken connection."""
    try:
        main()
    except (EOFError, ConnectionError) as error:
        if not str(error).startswith('Caught'):  # as what a living worker has raised itself does
            time.sleep(1)  # PyTorch's handler of the signal, which is on its way, raises here
        raise


def quote(value: Any, length: int = 80) -> str:
    """Return text that can be printed on a terminal, whatever is in it.

    Args:
        value: Text that somebody else wrote, for example the name of a weight, or a number.
        length: How much of it is shown.

    Returns:
        Names of ASCII letters, digits and ``.:/+-_`` as they are; other text in quotes, with escapes for what cannot be
        printed; anything but text, numbers and errors by its type.
    """
    if isinstance(value, int) and abs(value) >= 2**64:
        return 'an absurd number'
    if isinstance(value, (int, float, Exception)) or value is None:
        value = str(value)
    if not isinstance(value, str):
        return f'a {type(value).__name__}'
    rest = '…' if len(value) > length else ''
    value = value[:length]
    return (value if value and _PLAIN.fullmatch(value) else repr(value)) + rest


def some(names: Iterable, count: int = 3, length: int = 80) -> str:
    """Return the first few names for a sentence, see :func:`quote`."""
    return ', '.join(quote(name, length) for name, _ in zip(names, range(count))) or 'nothing'
