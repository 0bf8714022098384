"""Compare a method with its baselines: ``python tools/compare.py CONFIG --protocols h2t l2t s2t sr4ir --seeds 0 1``.

CONFIG is a config of the method; those of the other protocols are made from it by configs/_base_/protocols.py. Each
run is a process of its own. The same command continues where it was stopped. The work dir gets table.md, table.csv,
plot.png and results.jsonl, a line for each finished run in it. docs/experiments.md has the rest: several tasks, axes.
"""

import argparse
import signal
from pathlib import Path

from mmengine.config import DictAction

from sr4ir_mm.errors import ConfigError, run_tool
from sr4ir_mm.experiments.plan import Plan, load_method
from sr4ir_mm.experiments.report import Report
from sr4ir_mm.experiments.runner import run_plan
from sr4ir_mm.experiments.study import PROTOCOLS, load_study


def parse_args(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Compare a method with its baselines')
    add, several = parser.add_argument, dict(nargs='+', default=[])
    pairs = dict(nargs='+', action=DictAction, default={})
    add('configs', nargs='*', metavar='config', help='a config of the method, one for each task; default: of the study')
    add('--study', default=str(PROTOCOLS), metavar='FILE', help='a study; default: configs/_base_/protocols.py')
    add('--protocols', **several, metavar='NAME', help='what to compare, rows of the study; default: its `compare`')
    add('--seeds', **several, type=int, metavar='N', help='one run for each seed; default: those of the study, or 0')
    add('--vary', **pairs, metavar='AXIS=V1,V2', help='values of an axis of the study, or of any key of the config')
    add('--sigmas', **several, type=float, metavar='SIGMA', help='short for --vary sigma=…: noise, from 0 to 255')
    add('--sr-config', metavar='CONFIG', help='what trains the protocol sr, for all tasks; default: their own configs')
    add('--metric', metavar='NAME', help='the task metric to show, such as coco/bbox_mAP_50; default: the usual one')
    add('--skip-metrics', **several, metavar='NAME', help='metrics of the config to do without, such as LPIPS')
    add('--work-dir', metavar='DIR', help='folder of all runs; default: work_dirs/compare_<names of the configs>')
    add('--cfg-options', **pairs, metavar='KEY=VALUE', help='override settings of the config')
    add('--results', metavar='FILE', help='run nothing: make tables and plots of a results.jsonl, next to it')
    intervals = (
        'samples of images and seeds for intervals, where predictions are stored; 0: paired t; default: %(default)s'
    )
    add('--bootstrap', type=int, default=1000, metavar='N', help=intervals)
    args = parser.parse_args(argv)
    if args.bootstrap < 0 or args.bootstrap == 1:
        raise ConfigError(f'--bootstrap is {args.bootstrap}; allowed: 0, or a whole number from 2.')
    return args


def main(argv=None) -> None:
    args = parse_args(argv)
    values = dict(args.vary, **(dict(sigma=args.sigmas) if args.sigmas else {}))
    study = load_study(args.study, args.configs, args.protocols, args.seeds, values)
    report = Report(study, args.metric, args.bootstrap)
    if args.results:
        report.write_results(Path(args.results))
        return
    if not study.configs:
        raise ConfigError('CONFIG is missing; name a config of the method, or a --study that does.')
    methods = {name: load_method(path, args.cfg_options, args.skip_metrics) for name, path in study.configs.items()}
    sr_method = load_method(args.sr_config, args.cfg_options, args.skip_metrics) if args.sr_config else None
    work_dir = Path(args.work_dir or f'work_dirs/compare_{"_".join(study.configs)}').absolute()
    plan = Plan(study, methods, work_dir, sr_method)
    added = [name for name in plan.order if name not in study.protocols]
    if added:
        print(f'Also run, because others start from it: {", ".join(added)}.', flush=True)
    failures = run_plan(plan)
    report.write_plan(plan)
    if failures:
        raise SystemExit('\n'.join(f'error: {failure}' for failure in failures))


def _stop(*_) -> None:
    raise KeyboardInterrupt


if __name__ == '__main__':
    signal.signal(signal.SIGTERM, _stop)
    try:
        run_tool(main)
    except KeyboardInterrupt:
        raise SystemExit('\nStopped; the same command continues from here.') from None
