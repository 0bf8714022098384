"""Learning-rate schedules in a config, and the length of the training that they have to follow."""

import copy
from typing import Any, Dict, Iterable, Iterator, List, Tuple

from sr4ir_mm.errors import ConfigError, check_choice

LENGTHS = ('max_epochs', 'max_iters')
# keys of a scheduler that say how long its curve is, counted from its own begin
_CURVES = ('T_max', 'total_steps')
# where such a word may stand
ENDS = ('end', *_CURVES)


def to_the_end(schedulers: Any, lengths: Dict[str, int]) -> Any:
    """Replace ``'max_epochs'`` and ``'max_iters'`` in schedulers by the number that lets them end with the training.

    Allowed as ``end``, ``T_max``, ``total_steps`` and as the last of ``periods``; the last three are counted from the
    scheduler's ``begin``.

    Args:
        schedulers: ``param_scheduler`` of a config; schedulers that are built already stay as they are.
        lengths: ``max_epochs`` and ``max_iters`` of the training.

    Returns:
        A copy.

    Raises:
        ConfigError: Another word, the unit that the scheduler does not count in, or a scheduler with no step left.
    """
    schedulers = copy.copy(schedulers) if _is_built(schedulers) else copy.deepcopy(schedulers)
    for key, scheduler in _walk(schedulers, 'param_scheduler'):
        for name, value, rest in _ends(scheduler):
            if isinstance(value, str):
                unit = _unit(scheduler)
                check_choice(value, (unit,), f'{key}.{name}')
                _set(scheduler, name, _positive(lengths[unit] - rest, f'{key}.{name}', value, lengths[unit]))
    return schedulers


def follow_length(
    cfg: dict, old: Dict[str, Any], overrides: Iterable[str], schedulers: str = 'param_scheduler'
) -> List[str]:
    """Let schedules that ended with the training of a config file end with a longer or shorter one.

    Args:
        cfg: The config, with the length from the command line; its schedulers are changed in place.
        old: ``train_cfg`` of the file.
        overrides: The keys given by ``--cfg-options``: schedules among them stay as they are.
        schedulers: Key of the schedulers.

    Returns:
        A line for each change.
    """
    new, lines = cfg.get('train_cfg') or {}, []
    for key, scheduler in _walk(cfg.get(schedulers), schedulers):
        before, after = (each.get(_unit(scheduler)) for each in (old, new))
        if not isinstance(before, int) or not isinstance(after, int) or before == after:
            continue
        for name, value, rest in _ends(scheduler):
            path = f'{key}.{name}'
            given = any(f'{path}.'.startswith(f'{each}.') for each in overrides)
            # a curve as long as the training that begins later ends after it, on purpose; of several periods none does
            several = name == 'periods' and len(scheduler['periods']) > 1
            if given or value not in ((before - rest,) if several else (before - rest, before)):
                continue
            follows = after - (rest if value == before - rest else 0)
            if follows > 0:
                _set(scheduler, name, follows)
                lines.append(
                    f'train_cfg.{_unit(scheduler)} is {after} instead of {before}, and so {path} is '
                    f'{follows} instead of {value}.'
                )
    return lines


def _walk(node: Any, key: str) -> Iterator[Tuple[str, dict]]:
    """Every scheduler of a config, with its key as ``--cfg-options`` takes it."""
    if isinstance(node, dict) and 'type' in node:
        yield key, node
    elif isinstance(node, (dict, list, tuple)):
        for name, child in node.items() if isinstance(node, dict) else enumerate(node):
            yield from _walk(child, f'{key}.{name}')


def _is_built(node: Any) -> bool:
    if isinstance(node, dict):
        return 'type' not in node and any(_is_built(child) for child in node.values())
    return any(_is_built(child) for child in node) if isinstance(node, (list, tuple)) else node is not None


def _unit(scheduler: dict) -> str:
    return LENGTHS[0] if scheduler.get('by_epoch', True) else LENGTHS[1]


def _ends(scheduler: dict) -> Iterator[Tuple[str, Any, int]]:
    """Yield what says when a scheduler ends: its key, its value, and how much of the training is before it."""
    begin = scheduler.get('begin', 0)
    if 'end' in scheduler:
        yield 'end', scheduler['end'], 0
    for name in _CURVES:
        if scheduler.get(name) is not None:
            yield name, scheduler[name], begin
    periods = scheduler.get('periods')
    if periods:
        yield 'periods', periods[-1], begin + sum(periods[:-1])


def _set(scheduler: dict, name: str, value: int) -> None:
    scheduler[name] = [*scheduler['periods'][:-1], value] if name == 'periods' else value


def _positive(value: int, key: str, word: str, length: int) -> int:
    if value < 1:
        raise ConfigError(f"{key} is '{word}', but the scheduler begins after the training of {length} has ended.")
    return value
