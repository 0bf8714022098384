"""Plan an experiment: which runs there are, with which configs, and which of them starts from which."""

import copy
from functools import lru_cache, partial
from itertools import product
from pathlib import Path
from typing import Any, Dict, FrozenSet, List, NamedTuple, Optional, Sequence

from mmengine.config import Config, ConfigDict

from sr4ir_mm.config import check_config, load_config, skip_metrics
from sr4ir_mm.errors import ConfigError

from .axes import Axis, Point, Setting, points
from .protocols import apply_protocol, in_order, load_protocols
from .runs import RESULT_FIELDS, Run
from .study import Study


class Method(NamedTuple):
    """A config that protocols are applied to."""

    path: str
    cfg: Config


class _Key(NamedTuple):
    """Identity of a run."""

    setting: Setting
    protocol: str
    seed: int


def load_method(path: str, cfg_options: Dict[str, Any], skipped: Sequence[str]) -> Method:
    """Read the config of a method.

    Args:
        path: Path of the config.
        cfg_options: Settings of it to override.
        skipped: Metrics to do without.

    Raises:
        ConfigError: The config is wrong.
    """
    cfg = load_config(path, cfg_options)
    skip_metrics(cfg, skipped)
    check_config(cfg, list(cfg_options))
    cfg.pop('work_dir')  # each run gets its own
    return Method(path, cfg)


class Plan:
    """All runs of a study, each after those it starts from.

    Runs that several settings or seeds share are made once: an axis counts for a run only if its value is still in the
    config that the protocol makes, or if it counts for a run that this one starts from.

    Args:
        study: What is compared.
        methods: The config of each task, by its name.
        work_dir: Folder of all runs.
        sr_method: What the protocol ``sr`` is made of in all tasks, instead of their own configs.

    Raises:
        ConfigError: A protocol or an axis does not fit a config.
    """

    def __init__(
        self, study: Study, methods: Dict[str, Method], work_dir: Path, sr_method: Optional[Method] = None
    ) -> None:
        self.study = study
        self.methods = methods
        self.work_dir = work_dir
        self._sr_method = sr_method
        self._points = points(study.axes)
        self._check_settings()
        self._rows = lru_cache(maxsize=None)(self._load_rows)
        self._axes = lru_cache(maxsize=None)(self._axes_that_count)
        #: the protocols in the order of their runs, with those that others start from
        self.order = in_order(study.protocols, self._rows(next(iter(methods)), self._points[0]))
        self._check_tasks()
        self._runs: Dict[_Key, Run] = {}
        #: the runs of each table
        self.tables: Dict[Setting, List[Run]] = {
            self._setting(task, point): [] for task, point in product(methods, self._points)
        }
        for point, seed, name, task in product(self._points, study.seeds, self.order, methods):
            table, run = self.tables[self._setting(task, point)], self._run(task, point, name, seed)
            if run not in table:
                table.append(run)

    @property
    def runs(self) -> List[Run]:
        return list(self._runs.values())

    def _check_settings(self) -> None:
        """Refuse what an axis makes of a config as early as a config that is wrong itself."""
        for axis in self.study.axes:
            if axis.name in RESULT_FIELDS:
                raise ConfigError(f'An axis to vary is called {axis.name!r}, as a part of each result is; rename it.')
        for method, point in product(self.methods.values(), self._points if self.study.axes else ()):
            check_config(self._at(method.cfg, point))

    def _check_tasks(self) -> None:
        rows = self._rows(next(iter(self.methods)), self._points[0])
        for name in self.order:
            if rows[name].get('of_other') and len(self.methods) != 2:
                raise ConfigError(
                    f"--protocols has '{name}', which takes a part from another task; it needs two "
                    f'configs, not {len(self.methods)}.'
                )

    def _setting(self, task: str, point: Point) -> Setting:
        return Setting(task if self.study.by_task else '', point)

    def _is_shared_by_tasks(self, name: str) -> bool:
        return name == 'sr' and self._sr_method is not None

    def _source_task(self, task: str, row: ConfigDict) -> str:
        return next(other for other in self.methods if other != task) if row.get('of_other') else task

    def _load_rows(self, task: str, point: Point) -> Dict[str, ConfigDict]:
        """Read the table of protocols; rows without phases have those of the task's config at the point."""
        return load_protocols(self.study.path, self._at(self.methods[task].cfg, point))

    def _at(self, cfg: Config, point: Point) -> Config:
        """Return a copy of a config at a point."""
        cfg = copy.deepcopy(cfg)
        for axis, (_, label) in zip(self.study.axes, point):
            axis.apply(cfg, label)
        return cfg

    def _method_at(self, task: str, point: Point, name: str) -> Config:
        own = self._sr_method if name == 'sr' else None
        return self._at((own or self.methods[task]).cfg, point)

    def _config(self, task: str, point: Point, name: str, checkpoints: Optional[Dict[str, str]] = None) -> Config:
        """Make the config of a run; without checkpoints to see that it can be made."""
        row = self._rows(task, point)[name]
        if checkpoints is None:
            checkpoints = dict.fromkeys(row.get('start', {}), '')
        return apply_protocol(self._method_at(task, point, name), row, checkpoints)

    def _axes_that_count(self, task: str, name: str) -> FrozenSet[str]:
        """Return the names of the axes that a protocol depends on."""
        row = self._rows(task, self._points[0])[name]
        counts = {axis.name for axis in self.study.axes if self._reaches(axis, task, name)}
        for source in row.get('start', {}).values():
            counts |= self._axes(self._source_task(task, row), source)
        return frozenset(counts)

    def _reaches(self, axis: Axis, task: str, name: str) -> bool:
        """Tell whether the values of an axis are in the configs of a protocol.

        All must be: a protocol that sets this key itself may set it to one of them.
        """
        place = self.study.axes.index(axis)
        for label in axis.values:
            point = (*self._points[0][:place], (axis.name, label), *self._points[0][place + 1 :])
            if not axis.reaches(self._method_at(task, point, name), self._config(task, point, name)):
                return False
        return True

    def _key(self, task: str, point: Point, name: str, seed: int) -> _Key:
        row = self._rows(task, point)[name]
        if not row.phases and not row.get('start'):
            seed = self.study.seeds[0]  # nothing here is random
        counting = tuple(value for value in point if value[0] in self._axes(task, name))
        return _Key(self._setting('' if self._is_shared_by_tasks(name) else task, counting), name, seed)

    def _run(self, task: str, point: Point, name: str, seed: int) -> Run:
        """Return a run; it is planned when it is asked for first, after those it starts from."""
        key = self._key(task, point, name, seed)
        if key not in self._runs:
            self._config(task, point, name)  # a mistake shows before the first run, not hours later
            row = self._rows(task, point)[name]
            source_task = self._source_task(task, row)
            sources = {part: self._run(source_task, point, other, seed) for part, other in row.get('start', {}).items()}
            self._runs[key] = Run(
                protocol=name,
                seed=key.seed,
                setting=key.setting,
                folder=self.work_dir / key.setting.folder / name / f'seed_{key.seed}',
                method=self.methods[task].path,
                make_config=partial(self._config, task, point, name),
                sources=sources,
            )
        return self._runs[key]
