"""Train a model, ``tools/train.py CONFIG``, or one of its baselines: ``tools/train.py CONFIG --protocol s2t``."""

import argparse
import os
from contextlib import nullcontext

import torch
from mmengine.config import DictAction
from mmengine.runner import Runner

from sr4ir_mm.checkpoints import trust_checkpoints, use_safe_loader
from sr4ir_mm.checkpoints.integrity import latest_checkpoint
from sr4ir_mm.config import check_auto_scale_lr, check_config, check_file, load_config, name_what_is_built, skip_metrics
from sr4ir_mm.engine import init_dist_without_gpu, is_first_process
from sr4ir_mm.errors import ConfigError, run_tool
from sr4ir_mm.experiments.protocol_options import add_protocol_options, use_protocol
from sr4ir_mm.utils.files import locked


def parse_args(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Train a model')
    parser.add_argument('config', help='path of the config')
    add_protocol_options(parser)
    parser.add_argument('--work-dir', help='folder of logs and checkpoints; default: work_dirs/<name of the config>')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='PATH',
        help='continue from a checkpoint; without a path, from the latest one in the work dir',
    )
    parser.add_argument(
        '--trust-checkpoint',
        action='store_true',
        help='read checkpoints by torch.load, which can run any code of their makers',
    )
    parser.add_argument(
        '--amp',
        nargs='?',
        const='auto',
        choices=['auto', 'float16', 'bfloat16'],
        help='mixed precision; default: float16 on a GPU, bfloat16 on a CPU',
    )
    parser.add_argument('--seed', type=int, help='seed of weights, data order and augmentation')
    parser.add_argument('--deterministic', action='store_true', help='use deterministic algorithms only')
    parser.add_argument('--tensorboard', action='store_true', help='log for TensorBoard too')
    parser.add_argument(
        '--auto-scale-lr', action='store_true', help='scale the learning rates with the batch size of all processes'
    )
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


def main(argv=None) -> None:
    args = parse_args(argv)
    cfg = load_config(args.config, args.cfg_options, args.launcher, args.work_dir)
    skip_metrics(cfg, args.skip_metrics)
    cfg = use_protocol(cfg, args)
    if not cfg.get('train_cfg'):
        raise ConfigError(f'Nothing learns in {args.protocol or args.config}; use tools/test.py.')
    if args.resume == 'auto':
        cfg.load_from = latest_checkpoint(cfg.work_dir)
        cfg.resume = cfg.load_from is not None
        if not cfg.resume:
            print(f'--resume: there is no checkpoint in {cfg.work_dir}; the training starts at the beginning.')
    elif args.resume:
        check_file(args.resume, '--resume')
        cfg.resume, cfg.load_from = True, args.resume
    if args.amp:
        cfg.optim_wrapper.amp = (
            args.amp if args.amp != 'auto' else ('float16' if torch.cuda.is_available() else 'bfloat16')
        )
    if args.seed is not None or args.deterministic:
        cfg.randomness = dict(seed=args.seed, deterministic=args.deterministic)
    if args.auto_scale_lr:
        check_auto_scale_lr(cfg)
        cfg.auto_scale_lr.enable = True
    if args.tensorboard:
        cfg.visualizer.vis_backends = [*cfg.visualizer.get('vis_backends', []), dict(type='TensorboardVisBackend')]
    check_config(cfg, args.cfg_options)
    init_dist_without_gpu(cfg)
    use_safe_loader()
    with (
        locked(cfg.work_dir) if is_first_process(cfg.launcher) else nullcontext(),
        trust_checkpoints(args.trust_checkpoint),
        name_what_is_built(cfg),
    ):
        Runner.from_cfg(cfg).train()


if __name__ == '__main__':
    run_tool(main)
