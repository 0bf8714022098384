"""Finds what the names in a config stand for, and which name is likely meant by one that stands for nothing."""

import sys
from contextlib import suppress
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from typing import Any, FrozenSet, Iterable, List, Optional, Sequence, Tuple

from mmengine import registry as roots

from sr4ir_mm.errors import ConfigError

from .signatures import words_in


def find(kind: Any, registries: Sequence[str], scope: str) -> Tuple[Any, str]:
    """Return what a type names, and the registry that has it.

    Args:
        kind: The type, a name or what is built itself.
        registries: Names of MMEngine's registries, in the order in which they are asked.
        scope: The scope that it would be built in.

    Returns:
        None and an empty name where no registry has it.
    """
    if not isinstance(kind, str):
        return (kind if callable(kind) else None), ''
    for name in registries:
        try:
            built = _registry(name, scope).get(kind)
        except RuntimeError:  # it is in no registry
            continue
        if built is not None:
            return built.target() if hasattr(built, 'target') else built, name
    if 'MODELS' in registries:  # where mmdet looks for what it pools features with
        return getattr(sys.modules.get('mmcv.ops'), kind, None), ''
    return None, ''


def similar_type(kind: str, registries: Sequence[str], scope: str, cutoff: float = 0.6) -> Optional[str]:
    """Return the type that is likely meant by a name that no registry has."""
    prefix, dot, name = kind.rpartition('.')
    names: List[str] = []
    for each in registries:
        registry = _registry(each, prefix or scope)
        names += [*registry.module_dict, *(registry.parent.module_dict if registry.parent else ())]
    found = get_close_matches(name, names, n=1, cutoff=cutoff)
    return f'{prefix}{dot}{found[0]}' if found else None


def words_of_builder(registry: str) -> FrozenSet[str]:
    """Return the names that are spelled by what hands dicts to a registry, and by what builds them there."""
    from mmengine.runner import Runner  # brings torch, which this package's import shall not

    before = dict(LOOPS=Runner.build_train_loop, HOOKS=Runner.register_hook)
    words = words_in(getattr(roots, registry).build_func)
    return words | words_in(before[registry]) if registry in before else words


@cache
def _registry(name: str, scope: str) -> roots.Registry:
    with suppress(ImportError):
        import_module(f'{scope}.registry')
    root = getattr(roots, name)
    return root.children.get(scope, root)


def similar_key(name: str, known: Iterable[str], cutoff: float = 0.6) -> List[str]:
    """Return the key that is likely meant: one of the same letters, or the most similar one."""
    same = [each for each in known if sorted(each) == sorted(str(name))]
    return same or get_close_matches(str(name), known, n=1, cutoff=cutoff)


def unknown_key(key: str, name: str, node: dict, taker: str, allowed: Iterable[str], *more: str) -> ConfigError:
    """Return the error for a key that nothing takes.

    Args:
        key: The key of the dict that has it.
        name: The key that is unknown.
        node: That dict: what it has already cannot be meant.
        taker: What takes the others.
        allowed: Those.
        *more: Others that may be meant, but are not worth listing.
    """
    near = (similar_key(name, [each for each in names if each not in node]) for names in (list(allowed), more))
    meant = next(filter(None, near), None)
    hint = f"; did you mean '{meant[0]}'?" if meant else f'; allowed: {", ".join(sorted(allowed))}.' if allowed else '.'
    return ConfigError(f"{key} has the key '{name}', which {taker} does not take{hint}")
