"""Reads a config as the command line asks for it."""

import copy
import os.path as osp
import re
from typing import Optional

from mmengine.config import Config
from mmengine.config.utils import MODULE2PACKAGE
from mmengine.logging import print_log

from .nodes import walk
from .paths import check_file
from .schedules import follow_length


def load_config(path: str, overrides: dict, launcher: str = 'none', work_dir: Optional[str] = None) -> Config:
    """Read a config and apply what the command line says.

    Args:
        path: Path of the config.
        overrides: What ``--cfg-options`` gives.
        launcher: ``none``, ``pytorch``, ``slurm`` or ``mpi``.
        work_dir: Folder of logs and checkpoints; else that of the config, else ``work_dirs/<name of the config>``.
    """
    check_file(path, 'CONFIG')
    # MMEngine's list of whose configs `_base_ = '<package>::…'` may name. It looks for `.mim` beside the module named
    # here: by the name of the package it would look in site-packages, where an editable installation has nothing.
    MODULE2PACKAGE['sr4ir_mm'] = 'sr4ir_mm.registry'
    try:
        cfg = Config.fromfile(path)
    except FileNotFoundError as error:  # of a `_base_`
        missing = re.search(r"""['"](.+)['"]""", str(error))
        if missing:
            check_file(missing[1], f'A _base_ of {path}')
        raise
    for _, node in walk(cfg._cfg_dict, ''):
        if node.get('_scope_') == 'sr4ir_mm':  # MMEngine puts it into such a base, whose scope is the host library's
            node.pop('_scope_')
    of_the_file = copy.deepcopy(cfg.get('train_cfg') or {})
    cfg.merge_from_dict(overrides)
    for line in follow_length(cfg, of_the_file, overrides):
        print_log(line)
    # used by --protocol alone, so not worth a line
    follow_length(cfg, of_the_file, overrides, 'baseline_param_scheduler')
    cfg.launcher = launcher
    cfg.work_dir = work_dir or cfg.get('work_dir') or osp.join('work_dirs', osp.splitext(osp.basename(path))[0])
    # MMEngine writes a config down four times before the first iteration and in each checkpoint; yapf would take a
    # quarter of a second for each
    return Config(cfg._cfg_dict, cfg.text, cfg.filename, cfg.env_variables, format_python_code=False)
