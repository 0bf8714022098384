"""One run of an experiment: its folder, the config that is written there, and what it has found."""

import json
import os
import pprint
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List

from mmengine.config import Config

from sr4ir_mm.config import RUNNER_KEYS
from sr4ir_mm.errors import ConfigError
from sr4ir_mm.utils.files import write_json

from .axes import Point, Setting
from .process import ROOT

#: what a result takes over from the record of the training, and what it is called there
_RECORDED = dict(
    metrics='metrics',
    val_metrics='val_metrics',
    iterations='iter',
    seconds='seconds',
    peak_memory='peak_memory',
    memory_kind='memory_kind',
)
#: what a result has; everything else in it is the value of an axis
RESULT_FIELDS = ('config', 'protocol', 'seed', 'commit', 'folder', *_RECORDED)


@dataclass(eq=False)
class Run:
    """One protocol with one seed at one setting, in a folder of its own.

    Args:
        protocol: Name of its row.
        seed: Of the training.
        setting: Task and values of the axes that it depends on.
        folder: Where all of it is written.
        method: Path of the config that it is made of.
        make_config: Makes its config from the checkpoints that its parts start from.
        sources: The runs that those come from, by part.
    """

    protocol: str
    seed: int
    setting: Setting
    folder: Path
    method: str
    make_config: Callable[[Dict[str, str]], Config]
    sources: Dict[str, 'Run'] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f'{self.protocol} seed {self.seed}' + (f' of {self.setting}' if str(self.setting) else '')

    @property
    def config(self) -> Path:
        return self.folder / 'config.py'

    @property
    def record(self) -> Path:
        """Return what the present training or test has recorded so far."""
        return self.folder / 'record.json'

    @property
    def log(self) -> Path:
        return self.folder / 'output.txt'

    @property
    def result(self) -> dict:
        """Return what a finished run has written, else nothing."""
        return read_result(self.folder / 'result.json')

    @property
    def checkpoint(self) -> str:
        """Path of the latest checkpoint, or an empty string."""
        latest = self.folder / 'train' / 'last_checkpoint'
        return str(latest.parent / Path(latest.read_text().strip()).name) if latest.exists() else ''

    def progress(self) -> dict:
        return json.loads(self.record.read_text()) if self.record.exists() else {}

    def prepare(self) -> Config:
        """Write the config into the folder and return it.

        Raises:
            ConfigError: The folder has begun with another config.
        """
        cfg = self.make_config({part: source.checkpoint for part, source in self.sources.items()})
        cfg.custom_hooks = [
            *cfg.get('custom_hooks', []),
            dict(type='sr4ir_mm.RunRecordHook', out_file=str(self.record)),
        ]
        if self.config.exists() and (self.result or self.checkpoint):
            key = _difference(Config.fromfile(self.config), cfg)
            if key:
                raise ConfigError(
                    f'The work dir has a run of {self.name} with another config ({key} differs); '
                    f'choose another --work-dir or delete {self.folder}.'
                )
        self.folder.mkdir(parents=True, exist_ok=True)
        self.config.write_text(_config_text(cfg))
        return cfg

    def finish(self) -> None:
        """Make the result of what training or test have recorded; a test alone has no costs."""
        record = self.progress()
        write_json(
            self.folder / 'result.json',
            dict(
                config=os.path.relpath(self.method, ROOT),
                protocol=self.protocol,
                seed=self.seed,
                **dict(self.setting.values),
                commit=_commit(),
                **{name: record[key] for name, key in _RECORDED.items() if key in record},
            ),
        )


def read_result(path: Path) -> dict:
    """Return what a finished run has written, and its folder, where its predictions are; else nothing."""
    return dict(json.loads(path.read_text()), folder=str(path.parent)) if path.exists() else {}


def point_of(result: dict) -> Point:
    """Return the values of the axes that a result belongs to."""
    return tuple((name, value) for name, value in result.items() if name not in RESULT_FIELDS)


def points_of(results: Iterable[dict]) -> List[Point]:
    """Return the points that results are at; runs that an axis does not touch are at all of its points."""
    found = list(dict.fromkeys(map(point_of, results)))
    return [point for point in found if not any(set(point) < set(other) for other in found)]


def at_point(results: Iterable[dict], point: Point) -> List[dict]:
    """Return the results at a point, with those that its axes do not touch."""
    return [result for result in results if set(point_of(result)) <= set(point)]


def task_of(result: dict) -> str:
    """Return the name of the config that a result belongs to."""
    return Path(result['config']).stem


def _config_text(cfg: Config) -> str:
    """Write a config down without the variables of its author.

    Not by ``Config.dump``, which takes seconds to make it pretty.
    """
    return ''.join(
        f'{key} = {pprint.pformat(value, width=119, sort_dicts=False)}\n'
        for key, value in cfg.to_dict().items()
        if key in RUNNER_KEYS
    )


def _difference(old: Config, new: Config) -> str:
    """Return the first key, as a path with dots, at which two configs differ."""

    def walk(old: Any, new: Any, path: list) -> str:
        if isinstance(old, dict) and isinstance(new, dict):
            for name in {**old, **new}:
                if old.get(name) != new.get(name):
                    return walk(old.get(name), new.get(name), [*path, name])
        return '.'.join(path)

    before, after = ({key: config.get(key) for key in RUNNER_KEYS} for config in (old, new))
    return walk(before, after, [])


def _commit() -> str:
    """Return what git calls the code of this package, with a ``+`` if it was changed; empty without a repository."""
    call = subprocess.run(
        ['git', '-C', str(ROOT), 'describe', '--always', '--abbrev=12', '--exclude=*', '--dirty=+'],
        capture_output=True,
        text=True,
    )
    return call.stdout.strip()
