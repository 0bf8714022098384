"""Trainings of the tiny config: run, stopped at a point, and compared with one that was not."""

import json
import runpy
import sys
import time
from pathlib import Path

import torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS, init_default_scope
from mmengine.runner import Runner

from sr4ir_mm.checkpoints import load_checkpoint
from tests.helpers.builders import ROOT


def history(runner, name):
    return runner.message_hub.get_scalar(f'train/{name}').data[0].tolist()


def run(cfg, **kwargs):
    cfg.update(experiment_name=f'test_{id(cfg)}', **kwargs)
    runner = Runner.from_cfg(cfg)
    runner.train()
    return runner


def train(config, work_dir, *args):
    """`tools/train.py`, from this process's imports."""
    init_default_scope('mmseg')
    sys.argv = ['train.py', config, '--work-dir', str(work_dir), *args]
    runpy.run_path(str(ROOT / 'tools/train.py'), run_name='__main__')


class Killed(BaseException):
    pass


@HOOKS.register_module(force=True)
class StopAt(Hook):
    """End the process, as far as a test can, in the midst of an iteration."""

    def __init__(self, at):
        self.at = at

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter + 1 == self.at:
            raise Killed


def by_epoch(cfg):
    cfg.train_cfg.update(max_epochs=4, val_interval=1)


def within_epochs(cfg):
    by_epoch(cfg)
    cfg.default_hooks.checkpoint.update(by_epoch=False, interval=3)


def by_iteration(cfg):
    cfg.train_cfg.update(type='sr4ir_mm.AlternatingIterTrainLoop', max_iters=8, val_interval=2)
    cfg.train_cfg.pop('max_epochs')
    cfg.default_hooks.checkpoint.update(by_epoch=False, interval=3)
    cfg.train_dataloader.sampler.type = 'InfiniteSampler'
    cfg.log_processor = dict(by_epoch=False)


def finite_by_iteration(cfg):
    by_iteration(cfg)
    cfg.train_dataloader.sampler.type = 'DefaultSampler'


def everything(cfg):
    by_iteration(cfg)
    cfg.optim_wrapper.update(amp='bfloat16', accumulative_counts=2)
    cfg.optim_wrapper.restorer.clip_grad = dict(max_norm=0.1)
    cfg.custom_hooks.append(dict(type='sr4ir_mm.PartEMAHook', part='restorer', momentum=0.1))
    cfg.train_dataloader.update(num_workers=2, persistent_workers=True)
    cfg.val_dataloader.update(num_workers=1, persistent_workers=True)


def of_two(cfg):
    """For two processes with plain batch norm, whose statistics are each process's own."""
    within_epochs(cfg)
    cfg.model_wrapper_cfg = dict(type='sr4ir_mm.CascadeDistributedDataParallel')
    cfg.train_dataloader.batch_size = 1


def tensors(checkpoint):
    """Whatever a checkpoint restores, flat."""
    flat = {}

    def walk(node, key):
        if isinstance(node, torch.Tensor):
            flat[key] = node
        elif isinstance(node, dict):
            for name, value in node.items():
                walk(value, f'{key}.{name}')
        elif isinstance(node, (list, tuple)):
            for index, value in enumerate(node):
                walk(value, f'{key}[{index}]')
        elif isinstance(node, (int, float, str)):
            flat[key] = torch.tensor([ord(c) for c in node]) if isinstance(node, str) else torch.tensor(node)

    for name in ('state_dict', 'ema_state_dict', 'optimizer', 'param_schedulers', 'resume_state'):
        walk(checkpoint.get(name, {}), name)
    return flat


def logs(work_dir):
    """The last entry of each step, of training and validation, without what is no result."""
    entries = {}
    for path in sorted(Path(work_dir).glob('*/vis_data/scalars.json')):
        for line in path.read_text().splitlines():
            try:
                entry = json.loads(line)
            except json.JSONDecodeError:  # the line in which the process was killed
                continue
            values = {name: value for name, value in entry.items() if name not in ('time', 'data_time', 'memory')}
            entries['loss' in entry, entry['step']] = {name: repr(value) for name, value in values.items()}
    return entries


def last_checkpoint(work_dir):
    return max(Path(work_dir).glob('*_*.pth'), key=lambda path: int(path.stem.split('_')[1]))


def assert_same(work_dir, expected):
    found, wanted = (tensors(load_checkpoint(last_checkpoint(folder))) for folder in (work_dir, expected))
    assert found.keys() == wanted.keys()
    assert not [name for name in found if not torch.equal(found[name], wanted[name])]
    assert logs(work_dir) == logs(expected)


def wait_for(path, process):
    """Until a file is there; a process that ends before is an error."""
    deadline = time.monotonic() + 100
    while not path.exists():
        assert process.wait(0.1) is None and time.monotonic() < deadline, process.output()


def wait(processes, seconds=None):
    return [process.wait() if seconds is None else process.wait(seconds) for process in processes]
