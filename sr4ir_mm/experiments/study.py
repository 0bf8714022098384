"""Read a study: what is compared, with which seeds and along which axes, and which tables shall come of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Union

from mmengine.config import Config

from sr4ir_mm.config import check_file
from sr4ir_mm.errors import ConfigError

from .axes import Axis, read_axes
from .process import ROOT

#: the table of protocols that every study starts from, and what is compared without a study
PROTOCOLS = ROOT / 'configs' / '_base_' / 'protocols.py'


@dataclass(frozen=True)
class Study:
    """A comparison: its configs, protocols, seeds and axes."""

    #: the file, which has the table of protocols
    path: str
    #: paths of the methods' configs, one for each task, by its name
    configs: Dict[str, str]
    #: what tables call each task
    headings: Dict[str, str]
    #: rows of the table of protocols
    protocols: List[str]
    #: what tables call each protocol, in the order of their rows
    titles: Dict[str, str]
    seeds: List[int]
    axes: List[Axis]
    #: the protocol that differences are taken to
    baseline: Optional[str]
    #: tables of differences over all tasks, by the name of their file: ``title``, ``metrics`` and ``pairs``
    differences: Dict[str, Any]
    #: give each task a folder, even where only one of the study's is run
    by_task: bool


def load_study(
    path: Union[str, Path] = PROTOCOLS,
    configs: Sequence[str] = (),
    protocols: Sequence[str] = (),
    seeds: Sequence[int] = (),
    values: Optional[Mapping[str, Any]] = None,
) -> Study:
    """Read a study.

    Args:
        path: ``configs/_base_/study.py`` is an example. A study has ``protocols`` and ``compare``; ``configs``,
            ``seeds``, ``vary``, ``values``, ``baseline`` and ``differences`` are optional.
        configs: Instead of those of the file.
        protocols: Instead of ``compare`` of the file.
        seeds: Instead of those of the file; without any it is 0.
        values: Of axes, besides or instead of those of the file.

    Raises:
        ConfigError: The file does not exist, two configs have one name, or an axis is wrong.
    """
    check_file(str(path), '--study')
    file = Config.fromfile(path)
    own = file.get('configs', {})
    paths = list(configs) or [str(Path(path).parent / each) for each in own]
    by_name = {Path(each).stem: each for each in paths}
    if len(by_name) < len(paths):
        raise ConfigError(f'CONFIG is {", ".join(paths)}; their names must differ.')
    return Study(
        path=str(path),
        configs=by_name,
        headings={Path(each).stem: title for each, title in own.items()},
        protocols=list(protocols or file.compare),
        titles={name: file.protocols[name].title for name in [*file.compare, *file.protocols]},
        seeds=list(dict.fromkeys(seeds or file.get('seeds', [0]))),
        axes=read_axes(file.get('vary', {}), {**file.get('values', {}), **(values or {})}),
        baseline=file.get('baseline'),
        differences=file.get('differences', {}),
        by_task=len(paths) > 1 or 'configs' in file,
    )
