"""A training that is asked to stop writes a checkpoint, says so by its exit code, and resumes to the same bits."""

import os
import signal
import time

import pytest
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from sr4ir_mm.checkpoints import load_checkpoint
from sr4ir_mm.checkpoints.integrity import check_checkpoint, latest_checkpoint
from sr4ir_mm.engine.stop import EXIT_CODE
from tests.helpers.processes import forked, launched
from tests.helpers.training import (
    Killed,
    assert_same,
    by_epoch,
    by_iteration,
    everything,
    of_two,
    train,
    wait,
    wait_for,
)


@HOOKS.register_module(force=True)
class SignalAt(Hook):
    """Send a signal to this process within an iteration, of a training or of its validation."""

    def __init__(self, at, number=signal.SIGTERM, rank=0, validation=False):
        self.at, self.number, self.rank, self.validation = at, number, rank, validation

    def _send(self, now):
        if now == self.at and get_rank() == self.rank:
            os.kill(os.getpid(), self.number)

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if not self.validation:
            self._send(runner.iter + 1)

    def before_val_iter(self, runner, batch_idx, data_batch=None):
        if self.validation:
            self._send(runner.iter)


def signal_at(at, **kwargs):
    options = dict(type='SignalAt', at=at, **kwargs)
    return '--cfg-options', *(f'default_hooks.signal.{key}={value}' for key, value in options.items())


@pytest.mark.parametrize('kind, number', [(by_epoch, signal.SIGTERM), (by_iteration, signal.SIGUSR1)])
def test_stops_after_the_iteration_and_goes_on(config, tmp_path, kind, number):
    path = config(kind)
    whole, stopped = tmp_path / 'whole', tmp_path / 'stopped'
    assert forked(train, path, whole).wait() == 0
    process = forked(train, path, stopped, *signal_at(5, number=int(number)))
    assert process.wait() == EXIT_CODE == 75
    assert (
        f'ends after iteration 5, with exit code 75; --resume continues from {stopped}/iter_5.pth' in process.output()
    )
    assert latest_checkpoint(str(stopped)) == f'{stopped}/iter_5.pth'
    assert forked(train, path, stopped, '--resume').wait() == 0
    assert_same(stopped, whole)
    # the checkpoint within an epoch gives way to the next one
    assert sorted(file.name for file in stopped.glob('*.pth')) == sorted(file.name for file in whole.glob('*.pth'))


def in_validation(cfg):
    by_epoch(cfg)
    cfg.custom_hooks.append(dict(type='sr4ir_mm.PartEMAHook', part='restorer', momentum=0.1))


def test_stops_within_a_validation_and_repeats_it(config, tmp_path):
    path = config(in_validation)
    whole, stopped = tmp_path / 'whole', tmp_path / 'stopped'
    rarely = 'default_hooks.checkpoint.interval=10'
    assert forked(train, path, whole, '--cfg-options', rarely).wait() == 0
    assert forked(train, path, stopped, *signal_at(4, validation=True), rarely).wait() == EXIT_CODE
    assert load_checkpoint(stopped / 'iter_4.pth')['meta']['epoch'] == 2
    assert forked(train, path, stopped, '--resume', '--cfg-options', rarely).wait() == 0
    assert_same(stopped, whole)


def test_two_processes_stop_after_the_same_iteration(config, tmp_path):
    """A signal that one of them receives."""
    path = config(of_two)
    whole, stopped = tmp_path / 'whole', tmp_path / 'stopped'
    launch = ('--launcher', 'pytorch')
    assert wait(launched(2, train, path, whole, *launch)) == [0, 0]
    processes = launched(
        2, train, path, stopped, *launch, *signal_at(3, rank=1), 'default_hooks.checkpoint.interval=10'
    )
    # launchers kill what is left of a job after a bad exit code, so only the process that ends last has one
    assert wait(processes) == [EXIT_CODE, 0]
    # what is sent within iteration 3 is known to all at the end of the next one
    assert [file.name for file in stopped.glob('*.pth')] == ['iter_4.pth']
    assert wait(launched(2, train, path, stopped, *launch, '--resume')) == [0, 0]
    assert_same(stopped, whole)


def test_a_signal_to_all_processes_leaves_the_workers_alive(config, tmp_path):
    """As Slurm sends it when the time of a job is over."""
    path = config(everything)
    process = forked(train, path, tmp_path, '--cfg-options', 'train_cfg.max_iters=100000', 'train_cfg.val_interval=3')
    wait_for(tmp_path / 'last_checkpoint', process)
    workers = children(process.pid)
    os.killpg(process.pid, signal.SIGTERM)
    assert process.wait() == EXIT_CODE, process.output()
    check_checkpoint(latest_checkpoint(str(tmp_path)))
    assert workers
    deadline = time.monotonic() + 30
    while any(os.path.exists(f'/proc/{worker}') for worker in workers) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(os.path.exists(f'/proc/{worker}') for worker in workers)  # but the training takes them with it


def children(pid):
    with open(f'/proc/{pid}/task/{pid}/children') as file:
        return file.read().split()


def test_signals_are_given_back(voc_cfg):
    from tests.helpers.training import run

    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR1)]
    voc_cfg.train_cfg.max_epochs = 1
    run(voc_cfg)
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR1)] == before
    voc_cfg.custom_hooks.append(dict(type='StopAt', at=1))
    with pytest.raises(Killed):
        run(voc_cfg)
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR1)] == before
