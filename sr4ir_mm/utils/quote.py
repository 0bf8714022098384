"""Put what a file says into a sentence for people."""

import re
from typing import Any, Iterable

_PLAIN = re.compile(r'[\w.:/+-]*', re.ASCII)


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
