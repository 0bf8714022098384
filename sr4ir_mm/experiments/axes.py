"""Axes of an experiment: settings of the config that take several values, and the settings that come of them."""

import copy
import re
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Dict, Iterable, List, Mapping, Sequence, Tuple, Union

from mmengine.config import Config

from sr4ir_mm.errors import ConfigError, check_choice

from .options import get_option, set_option

#: what a value is called in tables, folders and results
Label = Union[str, int, float, bool]
#: a value of each of some axes, by their names
Point = Tuple[Tuple[str, Label], ...]

#: how tables write the names of some axes
_SYMBOLS = dict(sigma='σ', lambda_='λ')


@dataclass(frozen=True)
class Axis:
    """One thing that an experiment varies."""

    name: str
    #: of the config, such as ``model.degradation.sigma``; all get the value
    keys: Tuple[str, ...]
    #: by what each is called
    values: Dict[Label, Any]

    def apply(self, cfg: Config, label: Label) -> None:
        """Set the keys of a config to a value.

        Raises:
            ConfigError: The config does not have one of the keys.
        """
        for key in self.keys:
            set_option(cfg, key, copy.deepcopy(self.values[label]), f'The axis {self.name!r}', new=False)

    def reaches(self, method: Config, made: Config) -> bool:
        """Tell whether a config that a protocol has made of that of a method has its value still."""
        return any(get_option(made, key) == get_option(method, key) for key in self.keys)


@dataclass(frozen=True)
class Setting:
    """Subject of a table: a task, by the name of its config, and a value of each axis that matters."""

    task: str = ''
    values: Point = ()

    @property
    def folder(self) -> Path:
        return Path(self.task, *(f'{name}_{_file_name(label)}' for name, label in self.values))

    def __str__(self) -> str:
        return ', '.join(filter(None, [self.task, point_text(self.values)]))


def point_text(point: Point) -> str:
    """Return a point as tables write it, for example ``σ = 15, quality = 30``."""
    return ', '.join(f'{_SYMBOLS.get(name, name)} = {label_text(label)}' for name, label in point)


def label_text(label: Label) -> str:
    """Return a value as people write it: 15 for 15.0."""
    return f'{label:g}' if isinstance(label, float) else str(label)


def _file_name(label: Label) -> str:
    return re.sub(r'[^\w.+-]', '-', label_text(label))


def read_axes(vary: Mapping[str, Union[str, Sequence[str]]], values: Mapping[str, Any]) -> List[Axis]:
    """Make the axes that have values.

    Args:
        vary: The key of the config that each axis varies, or several, by the name of the axis.
        values: A list for each axis, or a dict with a name for each value. Instead of an axis of ``vary`` it may name a
            key of the config.

    Raises:
        ConfigError: An axis that ``vary`` does not have, or values that cannot be told apart.
    """
    axes = []
    for name, wanted in values.items():
        keys = name if '.' in name else vary[check_choice(name, vary, 'An axis to vary')]
        axes.append(
            Axis(name, (keys,) if isinstance(keys, str) else tuple(keys), _by_label(wanted, f'values of {name!r}'))
        )
    return axes


def _by_label(values: Any, where: str) -> Dict[Label, Any]:
    if not isinstance(values, dict):
        values = list(values) if isinstance(values, (list, tuple)) else [values]
        for value in values:
            if not isinstance(value, (str, int, float)):
                raise ConfigError(
                    f'{where} has {value!r}, which makes no name of a folder; write a dict with a name for each value.'
                )
        values = dict(zip(values, values))
    folders = [_file_name(label) for label in values]
    if not values or len(set(folders)) < len(folders):
        raise ConfigError(f'{where} is {list(values)}; allowed: one value or more, which differ in letters or digits.')
    return dict(values)


def points(axes: Iterable[Axis]) -> List[Point]:
    """Return all combinations of values; without axes the one that has none."""
    return list(product(*([(axis.name, label) for label in axis.values] for axis in axes)))
