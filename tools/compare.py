"""Compare a method with its baselines: ``python tools/compare.py CONFIG --protocols h2t l2t s2t sr4ir --seeds 0 1``.

CONFIG is a config of the method; those of the other protocols are made from it by configs/_base_/protocols.py. Each run
is a process of its own. The same command continues where it was stopped: a run is finished when its result.json is
there, and one that is not resumes from its latest checkpoint. The work dir gets table.md, table.csv, plot.png
and results.jsonl, a line for each finished run in it.

Several configs, or several strengths of noise (``--sigmas 15 30``), get a folder with a table each, and one table.md of
all. With two configs of two tasks the protocol ``cross`` puts the restorer of the one in front of the recognizer of the
other.

``--study FILE`` names all of it in one file, as configs/_base_/study.py does; what the command line says comes first.
``--results`` makes tables and plots of a results.jsonl again, next to it, without running anything.
"""

import argparse
import json
import os
import pprint
import signal
import subprocess
import sys
import time
from collections import defaultdict
from itertools import product
from pathlib import Path
from typing import Dict, Iterable, Iterator, List, NamedTuple, Optional

from mmengine.config import Config, ConfigDict, DictAction

from sr4ir_mm.config import RUNNER_KEYS, check_config, check_file, check_metric_weights, load_config, skip_metrics
from sr4ir_mm.errors import ConfigError, check_choice, run_tool
from sr4ir_mm.evaluation.predictions import FILE_NAMES
from sr4ir_mm.experiments.differences import Differences, difference_table
from sr4ir_mm.experiments.process import import_once, start_script
from sr4ir_mm.experiments.protocols import apply_protocol, in_order, load_protocols, set_sigma
from sr4ir_mm.experiments.report import main_metric, markdown, plot, summarize, write_csv
from sr4ir_mm.utils.files import write_json

ROOT = Path(__file__).resolve().parents[1]
PROTOCOLS = ROOT / 'configs' / '_base_' / 'protocols.py'


def parse_args(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Compare a method with its baselines')
    parser.add_argument('configs', nargs='*', metavar='config', help='a config of the method, one for each task')
    parser.add_argument(
        '--study',
        default=str(PROTOCOLS),
        metavar='FILE',
        help='table of protocols and what is compared by default; default: configs/_base_/protocols.py',
    )
    parser.add_argument(
        '--protocols',
        nargs='+',
        metavar='NAME',
        help='what to compare: rows of the table; default: what the file of the table says',
    )
    parser.add_argument(
        '--sigmas',
        nargs='+',
        type=float,
        default=[],
        metavar='SIGMA',
        help='strengths of the noise, 0 to 255; default: that of the config',
    )
    parser.add_argument(
        '--sr-config', metavar='CONFIG', help='what trains the protocol sr, for all tasks; default: their own configs'
    )
    parser.add_argument(
        '--seeds',
        nargs='+',
        type=int,
        metavar='N',
        help='one run of each for each seed; default: those of the study, or 0',
    )
    parser.add_argument(
        '--metric', metavar='NAME', help='the task metric to show, for example coco/bbox_mAP_50; default: the usual one'
    )
    parser.add_argument(
        '--skip-metrics',
        nargs='+',
        default=[],
        metavar='NAME',
        help='metrics of the config to do without, such as LPIPS',
    )
    parser.add_argument(
        '--work-dir', metavar='DIR', help='folder of all runs; default: work_dirs/compare_<names of the configs>'
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={},
        metavar='KEY=VALUE',
        help='override settings of the config',
    )
    parser.add_argument(
        '--results',
        metavar='FILE',
        help='only make tables and plots, of a results.jsonl and next to it; nothing is run',
    )
    parser.add_argument(
        '--bootstrap',
        type=int,
        default=1000,
        metavar='N',
        help='samples of images and seeds for the intervals, where the folders of the runs have the predictions; 0: paired '
        't intervals over seeds; default: %(default)s',
    )
    args = parser.parse_args(argv)
    if args.bootstrap < 0 or args.bootstrap == 1:
        raise ConfigError(f'--bootstrap is {args.bootstrap}; allowed: 0, or a whole number from 2.')
    check_file(args.study, '--study')
    study = Config.fromfile(args.study)
    # a table for each task, in a folder of its own, even where the command line picks one of a study's tasks
    args.by_task = len(args.configs or study.get('configs', [])) > 1 or 'configs' in study
    args.headings = {Path(path).stem: title for path, title in study.get('configs', {}).items()}
    args.configs = args.configs or [str(Path(args.study).parent / path) for path in study.get('configs', {})]
    if not args.configs and not args.results:
        raise ConfigError('CONFIG is missing; name a config of the method, or a --study that does.')
    args.protocols = args.protocols or study.compare
    args.seeds = args.seeds or study.get('seeds', [0])
    args.baseline = study.get('baseline')
    args.differences = study.get('differences', {})
    # in the order of tables: as the file lists what is compared, then the others
    args.titles = {name: study.protocols[name].title for name in [*study.compare, *study.protocols]}
    return args


class RunFailed(RuntimeError):
    """What a run said last before it ended with an error."""


class Setting(NamedTuple):
    """What one table is about: a task, by the name of its config, and the strength of the noise."""

    task: str = ''
    sigma: Optional[float] = None

    @property
    def folder(self) -> Path:
        return Path(self.task, '' if self.sigma is None else f'sigma_{self.sigma:g}')

    def __str__(self) -> str:
        return ', '.join(part for part in (self.task, '' if self.sigma is None else f'σ = {self.sigma:g}') if part)


class Run:
    """One protocol with one seed, in a folder of its own."""

    def __init__(self, work_dir: Path, protocol: str, seed: int, setting: Setting = Setting()) -> None:
        self.protocol = protocol
        self.seed = seed
        self.setting = setting
        self.name = f'{protocol} seed {seed}' + (f' of {setting}' if str(setting) else '')
        self.folder = work_dir / setting.folder / protocol / f'seed_{seed}'
        self.config = self.folder / 'config.py'
        self.record = self.folder / 'record.json'
        self.log = self.folder / 'output.txt'
        self.trains = self.validates_apart = True

    @property
    def result(self) -> dict:
        """What a finished run has written, else nothing."""
        return read_result(self.folder / 'result.json')

    @property
    def checkpoint(self) -> str:
        """Path of the latest checkpoint, or an empty string."""
        latest = self.folder / 'train' / 'last_checkpoint'
        return str(latest.parent / Path(latest.read_text().strip()).name) if latest.exists() else ''

    def progress(self) -> dict:
        return json.loads(self.record.read_text()) if self.record.exists() else {}

    def prepare(self, cfg: Config) -> None:
        """Write the config down; refuse a folder that has begun with another one."""
        cfg.custom_hooks = [
            *cfg.get('custom_hooks', []),
            dict(type='sr4ir_mm.RunRecordHook', out_file=str(self.record)),
        ]
        # not Config.dump, which takes seconds to make it pretty; variables of the files that it came from are left out
        text = ''.join(
            f'{key} = {pprint.pformat(value, width=119, sort_dicts=False)}\n'
            for key, value in cfg.to_dict().items()
            if key in RUNNER_KEYS
        )
        if self.config.exists() and (self.result or self.checkpoint):
            key = _difference(Config.fromfile(self.config), cfg)
            if key:
                raise ConfigError(
                    f'The work dir has a run of {self.name} with another config ({key} differs); '
                    f'choose another --work-dir or delete {self.folder}.'
                )
        self.folder.mkdir(parents=True, exist_ok=True)
        self.config.write_text(text)
        self.trains = cfg.train_cfg is not None
        # where settings are chosen by other images than those of the final figures
        self.validates_apart = cfg.val_dataloader != cfg.test_dataloader

    def finish(self, config: str) -> None:
        """Make the result of what training or test have recorded; a test alone has no costs."""
        record = self.progress()
        kept = dict(
            metrics='metrics',
            val_metrics='val_metrics',
            iterations='iter',
            seconds='seconds',
            peak_memory='peak_memory',
            memory_kind='memory_kind',
        )
        write_json(
            self.folder / 'result.json',
            dict(
                config=os.path.relpath(config, ROOT),
                protocol=self.protocol,
                seed=self.seed,
                **({} if self.setting.sigma is None else dict(sigma=self.setting.sigma)),
                commit=_commit(),
                **{name: record[key] for name, key in kept.items() if key in record},
            ),
        )


def read_result(path: Path) -> dict:
    """Return what a finished run has written, and its folder, where its predictions are; else nothing."""
    return dict(json.loads(path.read_text()), folder=str(path.parent)) if path.exists() else {}


def _commit() -> str:
    """What git calls the code of this file, with a ``+`` if it was changed since; empty outside of a repository."""
    call = subprocess.run(
        ['git', '-C', str(ROOT), 'describe', '--always', '--abbrev=12', '--exclude=*', '--dirty=+'],
        capture_output=True,
        text=True,
    )
    return call.stdout.strip()


def _difference(old: Config, new: Config) -> str:
    """The first key, as a path with dots, at which a config that was written is another one."""

    def walk(old, new, key):
        if isinstance(old, dict) and isinstance(new, dict):
            for name in {**old, **new}:
                if old.get(name) != new.get(name):
                    return walk(old.get(name), new.get(name), [*key, name])
        return '.'.join(key)

    return walk(*({key: config.get(key) for key in RUNNER_KEYS} for config in (old, new)), [])


class Progress:
    """One line about the present run and the time that everything takes."""

    def __init__(self, total: int, done: int) -> None:
        self.total = total
        self.done = done
        self._times = []
        self._live = sys.stdout.isatty()
        self._printed = 0.0

    def start(self, run: Run) -> None:
        self._run = run
        self._started = time.monotonic()
        self._first = run.progress().get('iter', 0)
        self._show(f'{run.name} starts')

    def update(self) -> None:
        if time.monotonic() - self._printed < (1 if self._live else 30):
            return
        record = self._run.progress()
        done, total = record.get('iter', 0), record.get('max_iters', 0)
        text = f'{self._run.name}: ' + (f'iteration {done}/{total}' if total else 'loading')
        elapsed = time.monotonic() - self._started
        if done > self._first:
            here = elapsed * (total - done) / (done - self._first)
            mean = sum(self._times) / len(self._times) if self._times else elapsed + here
            text += f', {_clock(here)} left; all: {_clock(here + mean * (self.total - self.done - 1))} left'
        self._show(text, live=True)

    def end(self, state: str) -> None:
        elapsed = time.monotonic() - self._started
        self._times.append(elapsed)
        self.done += 1
        left = sum(self._times) / len(self._times) * (self.total - self.done)
        self._show(
            f'{self._run.name} {state} after {_clock(elapsed)}' + (f'; all: {_clock(left)} left' if left else '')
        )

    def _show(self, text: str, live: bool = False) -> None:
        self._printed = time.monotonic()
        number = self.done if 'after' in text else self.done + 1
        text = f'[{number}/{self.total}] {text}'
        print(f'\r\033[K{text}' if self._live else text, end='' if live and self._live else '\n', flush=True)


def _clock(seconds: float) -> str:
    return f'{int(seconds) // 3600}:{int(seconds) // 60 % 60:02d}:{int(seconds) % 60:02d}'


def execute(run: Run, progress: Progress, script: str, *arguments: str) -> None:
    """Run one of the tools as a process of its own, its output in the run's log.

    Raises:
        RunFailed: It ended with an error.
    """
    process = start_script(ROOT / 'tools' / script, arguments, run.log)
    try:
        while process.is_alive():
            process.join(0.2)
            progress.update()
    finally:
        # what is stopped here must not go on there
        if process.is_alive():
            process.terminate()
            process.join()
    if process.exitcode:
        lines = run.log.read_text(errors='replace').strip().splitlines()
        raise RunFailed(f'{run.name} failed: {lines[-1] if lines else "no output"} (all of it: {run.log})')


def train_and_test(run: Run, progress: Progress) -> None:
    """Train a run, or go on with it; where its training ended without a validation, test it.

    One in which nothing learns is tested with the weights that its config names.
    """
    if not run.trains:
        execute(run, progress, 'test.py', str(run.config), '--work-dir', str(run.folder / 'test'))
        return
    work_dir = ['--work-dir', str(run.folder / 'train')]
    if not run.progress().get('finished'):
        execute(run, progress, 'train.py', str(run.config), *work_dir, '--seed', str(run.seed), '--resume')
    record = run.progress()
    if run.validates_apart and 'val_metrics' not in record:
        record['val_metrics'] = record.pop('metrics', {})
        write_json(run.record, record)
        predictions = run.record.with_name(FILE_NAMES['metrics'])
        if predictions.exists():
            predictions.replace(run.record.with_name(FILE_NAMES['val_metrics']))
    if 'metrics' not in run.progress():
        execute(run, progress, 'test.py', str(run.config), run.checkpoint, *work_dir)


def report(results: List[dict], order: Iterable[str], args: argparse.Namespace, heading: str, work_dir: Path) -> str:
    """Write the table of one setting, draw the plot, and return the table."""
    if not results:
        return ''
    metric = main_metric(results, args.metric)
    baseline = args.baseline if any(result['protocol'] == args.baseline for result in results) else None
    interval = Differences(results, metric, replicates=args.bootstrap).interval
    rows = summarize(results, [name for name in args.titles if name in order], metric, baseline, interval)
    table = markdown(rows, args.titles, baseline)
    work_dir.mkdir(parents=True, exist_ok=True)
    (work_dir / 'table.md').write_text(table)
    write_csv(rows, work_dir / 'table.csv')
    # what others start from is not compared, and often so far off that it would hide the differences
    compared = [row for row in rows if row['protocol'] in args.protocols] or rows
    plot(compared, args.titles, metric, heading, work_dir / 'plot.png', baseline)
    return table


def report_results(args: argparse.Namespace) -> None:
    """Tables and plots of all results in a file, next to it."""
    check_file(args.results, '--results')
    results = [json.loads(line) for line in Path(args.results).read_text().splitlines()]
    work_dir = Path(args.results).parent
    for result in results:
        check_choice(result['protocol'], args.titles, f'{args.results}: protocol')
    settings = defaultdict(list)
    for result in results:
        setting = Setting(Path(result['config']).stem, result.get('sigma'))
        # as in the work dir of the runs, which has a folder for each task only where there are several
        run = Path(result['protocol'], f'seed_{result["seed"]}')
        folders = [work_dir / place.folder / run for place in (setting, setting._replace(task=''))]
        result['folder'] = str(next((folder for folder in folders if folder.exists()), folders[0]))
        settings[setting].append(result)
    for setting, chosen in settings.items():
        names = [result['protocol'] for result in chosen]
        heading = args.headings.get(setting.task, str(setting))
        table = report(chosen, names, args, heading, work_dir / setting.folder)
        print(f'{setting}\n\n{table}', flush=True)
    written = report_differences(results, args, work_dir)
    print(f'Written to {work_dir}: in a folder for each task table.md, table.csv, plot.png', *written, sep=', ')


def report_differences(results: List[dict], args: argparse.Namespace, work_dir: Path) -> List[str]:
    """Write the study's tables of differences, one over all tasks each, and return the names of their files."""
    by_task = {
        title: [result for result in results if Path(result['config']).stem == task]
        for task, title in args.headings.items()
    }
    by_task = {title: chosen for title, chosen in by_task.items() if chosen}
    for name, table in args.differences.items():
        text = difference_table(by_task, table.pairs, args.titles, table.metrics, args.bootstrap)
        (work_dir / f'{name}.md').write_text(text)
        print(f'{table.title}\n\n{text}', flush=True)
    return [f'{name}.md' for name in args.differences]


class Study:
    """All runs of the command, and which of them starts from which."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.work_dir = Path(
            args.work_dir or f'work_dirs/compare_{"_".join(Path(path).stem for path in args.configs)}'
        ).absolute()
        self.paths = {Path(path).stem: path for path in args.configs}
        if len(self.paths) < len(args.configs):
            raise ConfigError(f'CONFIG is {", ".join(args.configs)}; their names must differ.')
        self.cfgs = {task: _load(path, args) for task, path in self.paths.items()}
        libraries = {library for cfg in self.cfgs.values() for library in _libraries(cfg)}
        import_once(['sr4ir_mm.engine', *(f'{library}.models' for library in sorted(libraries))])
        self.protocols = {task: load_protocols(args.study, cfg) for task, cfg in self.cfgs.items()}
        rows = next(iter(self.protocols.values()))
        self.order = in_order(args.protocols, rows)
        for name in self.order:
            if rows[name].get('of_other') and len(self.paths) != 2:
                raise ConfigError(
                    f"--protocols has '{name}', which takes a part from another task; it needs two "
                    f'configs, not {len(self.paths)}.'
                )
        self.by_task = args.by_task
        self.sigmas = list(dict.fromkeys(args.sigmas)) or [None]
        self.seeds = list(dict.fromkeys(args.seeds))
        self.sr_cfg = _load(args.sr_config, args) if args.sr_config else None
        # each run by its key, and the first place in the tables that it belongs to; each behind those it starts from
        self.runs: Dict[tuple, Run] = {}
        self.places: Dict[tuple, tuple] = {}
        for sigma, seed, name, task in product(self.sigmas, self.seeds, self.order, self.paths):
            key = self.key(task, sigma, name, seed)
            if key not in self.runs:
                # a mistake shows before the first run, not hours later
                self.config(task, sigma, name, dict.fromkeys(self._row(task, name).get('start', {}), ''))
                self.runs[key] = Run(self.work_dir, name, seed, Setting(*key[:2]))
                self.places[key] = task, sigma, name, key[-1]

    def _row(self, task: str, name: str) -> ConfigDict:
        return self.protocols[task][name]

    def key(self, task: str, sigma: Optional[float], name: str, seed: int) -> tuple:
        """Runs that several settings or seeds share, and so are made once, have one key."""
        row = self._row(task, name)
        if not row.phases and not row.get('start'):
            seed = self.seeds[0]  # nothing here is random
        clean = 'restorer' in row and row.restorer is None
        clean |= bool(row.phases) and {loss for phase in row.phases for loss in phase.losses} == {'task_hr'}
        shared = name == 'sr' and self.sr_cfg is not None
        return '' if shared or not self.by_task else task, None if clean else sigma, name, seed

    def config(self, task: str, sigma: Optional[float], name: str, checkpoints: Dict[str, str]) -> Config:
        cfg = self.sr_cfg if name == 'sr' and self.sr_cfg is not None else self.cfgs[task]
        if sigma is not None:
            cfg = set_sigma(cfg, sigma)
        return apply_protocol(cfg, self._row(task, name), checkpoints)

    def sources(self, task: str, sigma: Optional[float], name: str, seed: int) -> Dict[str, Run]:
        """The runs that the parts of a run start from."""
        row = self._row(task, name)
        if row.get('of_other'):
            task = next(other for other in self.paths if other != task)
        return {part: self.runs[self.key(task, sigma, source, seed)] for part, source in row.get('start', {}).items()}

    def report(self, args: argparse.Namespace) -> None:
        tables = []
        for task in self.paths:
            for sigma in self.sigmas:
                setting = Setting(task if self.by_task else '', sigma)
                keys = dict.fromkeys(self.key(task, sigma, name, seed) for seed in self.seeds for name in self.order)
                results = [self.runs[key].result for key in keys if self.runs[key].result]
                table = report(results, self.order, args, args.headings.get(task, task), self.work_dir / setting.folder)
                if table:
                    tables.append(f'{setting}\n\n{table}' if str(setting) else table)
        if tables:
            # of earlier commands too, with other protocols or seeds
            paths = sorted(self.work_dir.glob('**/result.json'))
            results = [read_result(path) for path in paths]
            (self.work_dir / 'results.jsonl').write_text(
                ''.join(json.dumps(json.loads(path.read_text())) + '\n' for path in paths)
            )
            (self.work_dir / 'table.md').write_text('\n'.join(tables))
            print('', *tables, sep='\n', flush=True)
            written = report_differences(results, args, self.work_dir)
            print(
                f'Written to {self.work_dir}: table.md, table.csv, plot.png, results.jsonl',
                *written,
                sep=', ',
                flush=True,
            )


def _load(path: str, args: argparse.Namespace) -> Config:
    cfg = load_config(path, args.cfg_options)
    skip_metrics(cfg, args.skip_metrics)
    check_config(cfg, args.cfg_options)
    cfg.pop('work_dir')  # each run gets its own
    return cfg


def _libraries(cfg: Config) -> Iterator[str]:
    """The host libraries that a config takes something from."""
    text = str(cfg.to_dict())
    for library in ('mmagic', 'mmdet', 'mmpretrain', 'mmseg'):
        if f'{library}.' in text or f"'{library}'" in text:
            yield library


def main(argv=None) -> None:
    args = parse_args(argv)
    if args.results:
        report_results(args)
        return
    study = Study(args)
    added = [name for name in study.order if name not in args.protocols]
    if added:
        print(f'Also run, because others start from it: {", ".join(added)}.', flush=True)
    finished = sum(bool(run.result) for run in study.runs.values())
    if finished:
        print(f'Finished before: {finished} of {len(study.runs)} runs.', flush=True)
    if finished < len(study.runs):
        check_metric_weights(study.cfgs.values())
    progress = Progress(len(study.runs), finished)
    failures = []
    for key, run in study.runs.items():
        task, sigma, name, seed = study.places[key]
        sources = study.sources(task, sigma, name, seed)
        missing = [source.name for source in sources.values() if not source.result]
        if missing:
            failures.append(f'{run.name} was left out: it starts from {", ".join(missing)}')
            continue
        checkpoints = {part: source.checkpoint for part, source in sources.items()}
        run.prepare(study.config(task, sigma, name, checkpoints))
        if run.result:
            continue
        progress.start(run)
        try:
            train_and_test(run, progress)
            run.finish(study.paths[task])
            progress.end('finished')
        except RunFailed as error:
            failures.append(str(error))
            progress.end('failed')
    study.report(args)
    if failures:
        raise SystemExit('\n'.join(f'error: {failure}' for failure in failures))


def _stop(*_) -> None:
    raise KeyboardInterrupt


if __name__ == '__main__':
    signal.signal(signal.SIGTERM, _stop)
    try:
        run_tool(main)
    except KeyboardInterrupt:
        raise SystemExit('\nStopped; the same command continues from here.')
