"""Test a model: ``python tools/test.py CONFIG CHECKPOINT``, with ``--protocol s2t`` one of its baselines.

Without CHECKPOINT each part gets the weights that its ``init_cfg`` in the config names.
"""

import argparse
import os
from pathlib import Path

from mmengine.config import Config, DictAction
from mmengine.dist import is_main_process
from mmengine.runner import Runner

from sr4ir_mm.checkpoints import trust_checkpoints, use_safe_loader
from sr4ir_mm.config import check_config, check_file, load_config, name_what_is_built, skip_metrics
from sr4ir_mm.engine import init_dist_without_gpu
from sr4ir_mm.errors import ConfigError, run_tool
from sr4ir_mm.experiments.protocol_options import add_protocol_options, use_protocol
from sr4ir_mm.experiments.test_report import ask_for_classes, report_test
from sr4ir_mm.utils.runner import unwrap


def parse_args(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Test a model')
    parser.add_argument('config', help='path of the config')
    parser.add_argument(
        'checkpoint',
        nargs='?',
        help='path of the checkpoint; default: restorer and recognizer each from the checkpoint of their init_cfg',
    )
    add_protocol_options(parser)
    parser.add_argument('--work-dir', help='folder of the log; default: work_dirs/<name of the config>')
    parser.add_argument(
        '--trust-checkpoint',
        action='store_true',
        help='read checkpoints by torch.load, which can run any code of their makers',
    )
    parser.add_argument('--show-dir', help='folder for a picture of each image')
    parser.add_argument('--per-class', action='store_true', help='show the numbers of each class too')
    parser.add_argument(
        '--reestimate-bn',
        nargs='?',
        const='all',
        metavar='BATCHES',
        help="re-estimate the recognizer's batch norm on restored training images; default: all batches of an epoch",
    )
    parser.add_argument(
        '--save-reestimated', metavar='FILE', help='with --reestimate-bn: checkpoint to write with the new statistics'
    )
    parser.add_argument('--out', help='JSON file of the result; default: test.json in the work dir')
    parser.add_argument(
        '--skip-metrics',
        nargs='+',
        default=[],
        metavar='NAME',
        help='metrics of the config to leave out, such as LPIPS',
    )
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, default={}, help='override settings of the config, KEY=VALUE'
    )
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    args = parser.parse_args(argv)
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def reestimation_hooks(args: argparse.Namespace, cfg: Config) -> list:
    """Return the hook for ``--reestimate-bn``, or nothing.

    Raises:
        ConfigError: The arguments do not fit each other or the config.
    """
    if args.reestimate_bn is None:
        if args.save_reestimated:
            raise ConfigError('--save-reestimated is given, but --reestimate-bn is not; give both or none.')
        return []
    batches = args.reestimate_bn
    if batches != 'all' and not (batches.isdecimal() and int(batches) > 0):
        raise ConfigError(
            f'--reestimate-bn is {batches!r}; allowed: a whole number of batches from 1, or no number, '
            'which means all of an epoch.'
        )
    if cfg.get('train_dataloader') is None:
        raise ConfigError('--reestimate-bn needs training images, but the config has no train_dataloader.')
    check_config(cfg, args.cfg_options)  # while it has the training data
    return [
        dict(
            type='sr4ir_mm.ReestimateBatchNormHook',
            dataloader=cfg.train_dataloader,
            num_batches=None if batches == 'all' else int(batches),
            out_file=args.save_reestimated,
        )
    ]


def main(argv=None) -> dict:
    args = parse_args(argv)
    cfg = load_config(args.config, args.cfg_options, args.launcher, args.work_dir)
    skip_metrics(cfg, args.skip_metrics)
    cfg = use_protocol(cfg, args, starts=not args.checkpoint)
    if args.checkpoint:
        check_file(args.checkpoint, 'CHECKPOINT')
    cfg.load_from = args.checkpoint
    reestimation = reestimation_hooks(args, cfg)
    cfg.train_dataloader = cfg.train_cfg = cfg.optim_wrapper = cfg.param_scheduler = None
    cfg.custom_hooks = [*cfg.get('custom_hooks', []), dict(type='sr4ir_mm.WholeCheckpointHook'), *reestimation]
    if args.show_dir:
        cfg.custom_hooks.append(dict(type='sr4ir_mm.PanelHook', out_dir=args.show_dir))
    if args.per_class:
        ask_for_classes(cfg)
    check_config(cfg, args.cfg_options)
    init_dist_without_gpu(cfg)
    use_safe_loader()
    with trust_checkpoints(args.trust_checkpoint), name_what_is_built(cfg):
        runner = Runner.from_cfg(cfg)
        if not args.checkpoint:
            unwrap(runner.model).load_pretrained()
        metrics = runner.test()
    if is_main_process():
        classes = runner.test_dataloader.dataset.metainfo.get('classes') or ()
        config = f'{args.config} --protocol {args.protocol}' if args.protocol else args.config
        report_test(metrics, classes, config, args.checkpoint, Path(args.out or Path(cfg.work_dir) / 'test.json'))
    return metrics


if __name__ == '__main__':
    run_tool(main)
