"""Goes through a config."""

from typing import Any, Iterator, Tuple


def walk(node: Any, key: str) -> Iterator[Tuple[str, dict]]:
    """Yield every dict in a config, with the key it stands at."""
    if isinstance(node, dict):
        yield key, node
        for name, child in node.items():
            yield from walk(child, f'{key}.{name}')
    elif isinstance(node, (list, tuple)):
        for index, child in enumerate(node):
            yield from walk(child, f'{key}[{index}]')
