"""Read and set one setting of a config by its key, a path with dots such as ``model.degradation.sigma``.

Within a list a step is the index of an element, its type without the scope (``pipeline.CQMix``) or its name
(``phases.restore``).
"""

from typing import Any, Dict, Tuple, Union

from mmengine.config import Config

from sr4ir_mm.errors import ConfigError, check_choice

#: what :func:`get_option` returns for a key that a config does not have
MISSING = object()


def get_option(cfg: Union[Config, dict], key: str) -> Any:
    """Return the value at a key, or :data:`MISSING`."""
    node = cfg
    for step in key.split('.'):
        children = _children(node)
        if step not in children:
            return MISSING
        node = children[step]
    return node


def set_option(cfg: Union[Config, dict], key: str, value: Any, where: str, new: bool = True) -> None:
    """Set the value at a key.

    Args:
        cfg: The config; it is changed.
        key: All steps but the last must exist.
        value: Is put there as it is.
        where: Who asks for it, to begin an error with.
        new: Allow a last step that does not exist yet.

    Raises:
        ConfigError: A step does not exist, or the last one is below something that has no keys.
    """
    parent, last = _parent(cfg, key, where)
    if not new:
        check_choice(last, parent, f"{where}: the last step of '{key}'")
    parent[last] = value


def _parent(cfg: Union[Config, dict], key: str, where: str) -> Tuple[Union[Config, dict], str]:
    *path, last = key.split('.')
    node = cfg
    for step in path:
        children = _children(node)
        node = children[check_choice(step, children, f"{where}: a step of '{key}'")]
    if not isinstance(node, (dict, Config)):
        raise ConfigError(f"{where}: '{key}' has nowhere to go; '{'.'.join(path)}' is {node!r}, which has no keys.")
    return node, last


def _children(node: Any) -> Union[Config, Dict[str, Any]]:
    """Return what is below a node by its steps; nothing where the node is a plain value."""
    if isinstance(node, (list, tuple)):
        dicts = [each for each in node if isinstance(each, dict)]
        by_type = {str(each['type']).split('.')[-1]: each for each in dicts if 'type' in each}
        by_name = {each['name']: each for each in dicts if 'name' in each}
        return {**{str(index): each for index, each in enumerate(node)}, **by_type, **by_name}
    return node if isinstance(node, (dict, Config)) else {}
