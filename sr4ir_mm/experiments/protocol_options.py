"""``--protocol`` and ``--start`` of tools/train.py and tools/test.py: one row of the table of protocols alone."""

import argparse
import os.path as osp
from typing import Dict

from mmengine.config import Config, ConfigDict

from sr4ir_mm.config import check_weights
from sr4ir_mm.errors import ConfigError, check_choice

from .protocols import apply_protocol, load_protocols
from .study import PROTOCOLS


def add_protocol_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--protocol',
        metavar='NAME',
        help='make a baseline of CONFIG: a row of configs/_base_/protocols.py, for example s2t; '
        'the default work dir is then work_dirs/<NAME>_<name of the config>',
    )
    parser.add_argument(
        '--start',
        nargs='+',
        default=[],
        metavar='PART=PATH',
        help='checkpoint that a part of the protocol starts from, for example restorer=sr.pth; '
        'default: the last one of the protocol that trains it, in its default work dir',
    )


def use_protocol(cfg: Config, args: argparse.Namespace, starts: bool = True) -> Config:
    """Return the config of ``--protocol``, or ``cfg`` as it is without that option.

    Args:
        cfg: The config of a method, with ``--cfg-options`` merged; it is not changed.
        args: The command line, with ``config``, ``cfg_options``, ``work_dir`` and the options of this module.
        starts: Give the parts the weights that the row says. A test of a checkpoint needs none.

    Raises:
        ConfigError: There is no such row, a checkpoint that it starts from is missing, or ``--cfg-options`` sets what
            the row replaces.
    """
    if args.start and not (args.protocol and starts):
        missing = '--protocol is not' if starts else 'CHECKPOINT, which has all weights, is too'
        raise ConfigError(f'--start is given, but {missing}; allowed: --protocol NAME --start PART=PATH.')
    if not args.protocol:
        return cfg
    protocols = load_protocols(str(PROTOCOLS), cfg)
    row = protocols[check_choice(args.protocol, protocols, '--protocol')]
    if not starts:
        row.pop('start', None)
    if not cfg.get('train_cfg') and (row.phases or row.get('start')):
        fit = [name for name, each in protocols.items() if not (each.phases or each.get('start'))]
        raise ConfigError(
            f"The protocol '{args.protocol}' needs a training, but {args.config} has no train_cfg; allowed for it: "
            f'{", ".join(fit)}.'
        )
    _check_overrides(args, cfg, row)
    made = apply_protocol(cfg, row, _checkpoints(args, cfg, row))
    if not args.work_dir and 'work_dir' not in args.cfg_options:
        made.work_dir = _folder(args, cfg, args.protocol)
    return made


def _checkpoints(args: argparse.Namespace, cfg: Config, row: ConfigDict) -> Dict[str, str]:
    """Return the checkpoint that each part in the row's ``start`` starts from."""
    start = row.get('start', {})
    found = {}
    for given in args.start:
        part, equals, path = given.partition('=')
        if not (equals and path):
            raise ConfigError(f"--start is '{given}'; write PART=PATH, for example restorer=sr.pth.")
        check_choice(part, start, f"--start: a part that the protocol '{args.protocol}' starts from a checkpoint")
        check_weights(path, f'--start {part}')
        found[part] = path
    for part, source in start.items():
        if part not in found:
            found[part] = _default_start(args, cfg, row, part, source)
    return found


def _default_start(args: argparse.Namespace, cfg: Config, row: ConfigDict, part: str, source: str) -> str:
    """Return the checkpoint at the end of the training of another protocol.

    An earlier one of a training that was stopped does not count: the result would look like the published protocol's.
    """
    where = f"The protocol '{args.protocol}' takes its {part} from '{source}'"
    if row.get('of_other'):
        raise ConfigError(f'{where} of another config; name its checkpoint by --start {part}=PATH.')
    length = cfg.train_cfg
    name = f'epoch_{length.max_epochs}.pth' if 'max_epochs' in length else f'iter_{length.max_iters}.pth'
    path = osp.join(_folder(args, cfg, source), name)
    if not osp.exists(path):
        raise ConfigError(
            f'{where}, but {path} does not exist; make it by `python tools/train.py {args.config} --protocol '
            f'{source}`, or name another checkpoint by --start {part}=PATH.'
        )
    check_weights(path, f'--start {part}')
    return path


def _folder(args: argparse.Namespace, cfg: Config, protocol: str) -> str:
    """Return the default work dir of a protocol: that of the config, with the protocol in front of its name."""
    own = osp.join('work_dirs', osp.splitext(osp.basename(args.config))[0]) if args.work_dir else cfg.work_dir
    folder, name = osp.split(osp.normpath(own))
    return osp.join(folder, f'{protocol}_{name}')


def _check_overrides(args: argparse.Namespace, cfg: Config, row: ConfigDict) -> None:
    """Refuse a setting that the row would replace without a word."""
    replaced = {f'model.{part}.init_cfg': f'write --start {part}=PATH' for part in row.get('start', {})}
    if row.phases != (cfg.get('train_cfg') or {}).get('phases', []):
        replaced['train_cfg.phases'] = 'compare.py --study FILE runs rows of your own'
    if row.get('schedule') and 'baseline_param_scheduler' in cfg:
        replaced['param_scheduler'] = 'set baseline_param_scheduler'
    for key in args.cfg_options:
        for prefix, instead in replaced.items():
            if f'{key}.'.startswith(f'{prefix}.'):
                raise ConfigError(
                    f"--cfg-options sets '{key}', but the protocol '{args.protocol}' has its own {prefix}; {instead}."
                )
