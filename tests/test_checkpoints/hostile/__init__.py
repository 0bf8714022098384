"""Files that somebody could make to harm whoever loads them, by their names; each is made when it is asked for."""

from .bombs import bombs
from .calls import calls
from .formats import contents, formats
from .tensors import tensors


def corpus():
    """Name and maker of each file."""
    found = [*calls(), *bombs(), *tensors(), *formats(), *contents()]
    assert len({what for what, _ in found}) == len(found)
    return found
