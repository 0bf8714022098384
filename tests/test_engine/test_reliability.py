"""Kill it, fill its disk, break its files: nothing beyond the last checkpoint is lost, and the message says what to do.

The table of docs/reliability.md names these tests.
"""

import copy
import os
import random
import re
import resource
import shutil
import signal
import time
from pathlib import Path

import pytest
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from sr4ir_mm.checkpoints import load_checkpoint
from sr4ir_mm.checkpoints.integrity import check_checkpoint, latest_checkpoint
from sr4ir_mm.engine import AtomicBackend
from sr4ir_mm.errors import CheckpointError, ConfigError
from tests.helpers.processes import forked, launched
from tests.helpers.training import (
    assert_same,
    by_epoch,
    by_iteration,
    finite_by_iteration,
    last_checkpoint,
    of_two,
    run,
    train,
    wait,
    wait_for,
    within_epochs,
)


@HOOKS.register_module(force=True)
class KillWorker(Hook):
    """In the second epoch."""

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter == 2:
            for child in Path(f'/proc/{os.getpid()}/task/{os.getpid()}/children').read_text().split():
                os.kill(int(child), signal.SIGKILL)


@HOOKS.register_module(force=True)
class Spoil(Hook):
    """In the second epoch, as another process's bad loss would."""

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter == 2:
            next(runner.model.parameters()).data.fill_(float('nan'))


def dies_at(name, call, after):
    """In a process of its own: be killed by the system when a function is called for the n-th time."""

    def train_and_die(*args):
        original, calls = getattr(os, name), []

        def replacement(*values, **kwargs):
            calls.append(1)
            if len(calls) == call:
                if after:
                    original(*values, **kwargs)
                os.kill(os.getpid(), signal.SIGKILL)
            return original(*values, **kwargs)

        setattr(os, name, replacement)
        train(*args)

    return train_and_die


@pytest.mark.parametrize('kind, amp', [(by_epoch, None), (by_iteration, 'bfloat16')])
def test_killed_while_a_checkpoint_is_written(config, tmp_path, kind, amp):
    path = config(kind, amp)
    whole, killed = tmp_path / 'whole', tmp_path / 'killed'
    assert forked(train, path, whole).wait() == 0
    # written, but not yet known to be on the disk; on the disk, but not yet named; named, before the validation
    for name, call, after in (('fsync', 3, False), ('replace', 2, False), ('replace', 1, True)):
        process = forked(dies_at(name, call, after), path, killed, '--resume')
        assert process.wait() == -signal.SIGKILL
        check_checkpoint(str(last_checkpoint(killed)))
    assert forked(train, path, killed, '--resume').wait() == 0
    assert_same(killed, whole)
    assert not list(killed.glob('*.tmp'))


def test_two_processes_with_batch_norm_go_on_to_the_same_bits(config, tmp_path):
    path = config(of_two)
    whole, killed = tmp_path / 'whole', tmp_path / 'killed'
    launch = ('--launcher', 'pytorch')
    assert wait(launched(2, train, path, whole, *launch)) == [0, 0]
    stop = ('--cfg-options', 'default_hooks.stop.type=StopAt', 'default_hooks.stop.at=3')
    assert wait(launched(2, train, path, killed, *launch, *stop)) == [1, 1]
    assert wait(launched(2, train, path, killed, *launch, '--resume')) == [0, 0]
    assert_same(killed, whole)
    first, second = load_checkpoint(last_checkpoint(killed))['resume_state']['processes']
    running = 'model.recognizer.backbone.layer1.0.bn1.running_mean'
    assert not first['buffers'] and running in second['buffers']  # only what differs from the plain checkpoint
    assert 'model.recognizer.backbone.layer1.0.bn1.num_batches_tracked' not in second['buffers']
    # one process goes on from it too, and says what it takes
    process = forked(
        train, path, killed, '--resume', str(killed / 'iter_7.pth'), '--cfg-options', 'train_dataloader.batch_size=2'
    )
    assert process.wait() == 0
    assert (
        'saved by 2 processes, and now there are 1: the training continues with other random numbers, and with the '
        'batch-norm statistics of the first process' in process.output()
    )


def train_on_a_slow_disk(*args):
    """So that many a kill falls into the writing of a checkpoint."""
    fsync = os.fsync
    os.fsync = lambda file: (time.sleep(0.1), fsync(file))
    train(*args)


@pytest.mark.slow
@pytest.mark.parametrize('amp', [None, 'bfloat16'])
@pytest.mark.parametrize('kind', [by_epoch, within_epochs, by_iteration, finite_by_iteration])
def test_killed_at_random_points(config, tmp_path, kind, amp):
    """Twenty kills, whenever the dice say; each resume gets as far as it gets, and a finished one begins anew."""
    path = config(kind, amp, length=3)
    whole, killed = tmp_path / 'whole', tmp_path / 'killed'
    started = time.monotonic()
    assert forked(train_on_a_slow_disk, path, whole).wait() == 0
    duration = time.monotonic() - started
    dice = random.Random(0)
    kills, during_writing = [], 0
    while len(kills) < 20:
        process = forked(train_on_a_slow_disk, path, killed, '--resume')
        if process.wait(dice.uniform(0.2, 1.1) * duration) is None:
            process.kill()
            during_writing += bool(list(killed.glob('*.tmp')))
            kills.append(last_checkpoint(killed).stem if list(killed.glob('*.pth')) else 'start')
        else:
            assert_same(killed, whole)
            shutil.rmtree(killed)
    assert forked(train, path, killed, '--resume').wait() == 0
    assert_same(killed, whole)
    print(
        f'{kind.__name__}, {amp}: {len(kills)} kills, {during_writing} of them in the midst of a checkpoint; the last '
        f'checkpoints were {", ".join(kills)}'
    )


@pytest.mark.slow
@pytest.mark.parametrize('amp', [None, 'bfloat16'])
def test_two_processes_killed_at_random_points(config, tmp_path, amp):
    """Twenty kills of one process or of both, with plain batch norm."""
    path = config(of_two, amp, length=3)
    whole, killed = tmp_path / 'whole', tmp_path / 'killed'
    launch = ('--launcher', 'pytorch')
    started = time.monotonic()
    assert wait(launched(2, train_on_a_slow_disk, path, whole, *launch)) == [0, 0]
    duration = time.monotonic() - started
    dice = random.Random(0)
    kills, during_writing = [], 0
    while len(kills) < 20:
        processes = launched(2, train_on_a_slow_disk, path, killed, *launch, '--resume')
        victims = dice.choice([processes, processes[:1], processes[1:]])
        if victims[0].wait(dice.uniform(0.2, 1.1) * duration) is None:
            during_writing += bool(list(killed.glob('*.tmp')))
            for process in victims:
                process.kill()
            kills.append(last_checkpoint(killed).stem if list(killed.glob('*.pth')) else 'start')
        if wait(processes) != [0, 0]:
            continue
        assert_same(killed, whole)
        shutil.rmtree(killed)
    assert wait(launched(2, train, path, killed, *launch, '--resume')) == [0, 0]
    assert_same(killed, whole)
    print(
        f'two processes, {amp}: {len(kills)} kills, {during_writing} of them in the midst of a checkpoint; the last '
        f'checkpoints were {", ".join(kills)}'
    )


def test_a_second_training_in_a_work_dir_is_refused(config_file, tool, tmp_path):
    work_dir = tmp_path / 'work'
    first = forked(
        train,
        config_file,
        work_dir,
        '--cfg-options',
        'train_cfg.max_epochs=10000',
        'default_hooks.checkpoint.max_keep_ckpts=2',
        'train_dataloader.num_workers=1',
    )
    wait_for(work_dir / 'last_checkpoint', first)
    with pytest.raises(
        ConfigError, match=rf"work_dir is '{work_dir}', in which another training runs \(process {first.pid}"
    ):
        tool('train').main([config_file, '--work-dir', str(work_dir), '--resume'])
    # the training alone is killed: its lock is gone although a worker may still live
    os.kill(first.pid, signal.SIGKILL)
    assert first.wait() == -signal.SIGKILL
    tool('train').main([config_file, '--work-dir', str(work_dir), '--cfg-options', 'train_cfg.max_epochs=1'])
    first.kill()


def test_a_work_dir_that_cannot_be_written_is_named(config_file, tool, tmp_path):
    (tmp_path / 'file').touch()
    with pytest.raises(ConfigError, match="work_dir is '.*/file/work', where nothing can be written: Not a directory"):
        tool('train').main([config_file, '--work-dir', str(tmp_path / 'file/work')])


def test_a_full_disk_loses_nothing(config, tmp_path):
    path = config(by_epoch)
    work_dir = tmp_path / 'work'

    def train_until_full():
        train(path, work_dir, '--cfg-options', 'train_cfg.max_epochs=1')
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        train(path, work_dir, '--resume')

    process = forked(train_until_full)
    assert process.wait() == 1
    message = process.output()
    assert f'error: The checkpoint {work_dir}/epoch_2.pth cannot be written: File too large.' in message
    assert 'earlier checkpoints are untouched, and --resume continues from the last of them' in message
    assert [file.name for file in work_dir.glob('*.pth*')] == ['epoch_1.pth']
    assert latest_checkpoint(str(work_dir)) == str(work_dir / 'epoch_1.pth')


def damage(path, how):
    content = bytearray(path.read_bytes())
    if how == 'cut off':
        content = content[: len(content) // 2]
    elif how == 'empty':
        content = b''
    else:
        content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize('how', ['cut off', 'one bit', 'empty'])
def test_a_damaged_checkpoint_is_told_and_the_one_before_is_used(voc_cfg, tool, config_file, how, capsys):
    run(copy.deepcopy(voc_cfg))
    first, second = (Path(voc_cfg.work_dir) / f'epoch_{epoch}.pth' for epoch in (1, 2))
    damage(second, how)
    with pytest.raises(CheckpointError, match='epoch_2.pth is damaged'):
        tool('test').main([config_file, str(second)])
    with pytest.raises(CheckpointError, match='epoch_2.pth is damaged'):
        tool('train').main([config_file, '--resume', str(second)])
    assert latest_checkpoint(voc_cfg.work_dir) == str(first)
    assert 'It is left out; looking for the one before' in ''.join(capsys.readouterr())
    damage(first, how)
    with pytest.raises(CheckpointError, match='All 2 checkpoints in .* are damaged'):
        tool('train').main([config_file, '--work-dir', voc_cfg.work_dir, '--resume'])


def test_a_worker_that_is_killed(voc_cfg, config_file):
    work_dir = voc_cfg.work_dir
    process = forked(
        train,
        config_file,
        work_dir,
        '--cfg-options',
        'train_dataloader.num_workers=1',
        'train_cfg.max_epochs=500',
        'default_hooks.kill.type=KillWorker',
    )
    assert process.wait() == 1
    assert re.search(r'error: DataLoader worker .* Often the memory of the machine was not enough', process.output())
    check_checkpoint(latest_checkpoint(work_dir))


def test_a_corrupt_image_is_named(voc_cfg, voc, tmp_path):
    import shutil

    root = tmp_path / 'voc'
    shutil.copytree(voc, root)
    image = next((root / 'JPEGImages').glob('000000*'))
    image.write_bytes(image.read_bytes()[:50])
    voc_cfg.train_dataloader.dataset.data_root = str(root)
    voc_cfg.train_dataloader.num_workers = 1
    with pytest.raises(ValueError, match=f'The image {image} cannot be read or decoded'):
        run(voc_cfg)


def test_not_a_number_reaches_no_checkpoint(voc_cfg):
    voc_cfg.custom_hooks = [dict(type='Spoil')]
    voc_cfg.default_hooks.runtime_info = dict(type='RuntimeInfoHook')  # which does not look at the losses
    with pytest.raises(FloatingPointError, match='tensors of the model are no longer finite, the first is restorer'):
        run(voc_cfg)
    assert latest_checkpoint(voc_cfg.work_dir).endswith('epoch_1.pth')


def test_the_atomic_backend_syncs_before_it_names(tmp_path, monkeypatch):
    calls = []
    for name in ('fsync', 'replace'):
        original = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *args, name=name, original=original: (calls.append(name), original(*args)))
    AtomicBackend().put(b'content', str(tmp_path / 'new/a.pth'))
    assert calls == ['fsync', 'replace', 'fsync']  # the file, its name, the folder
    assert [file.read_bytes() for file in (tmp_path / 'new').iterdir()] == [b'content']
    (tmp_path / 'file').touch()
    with pytest.raises(CheckpointError, match='file/a.pth cannot be written: (Not a directory|File exists)'):
        AtomicBackend().put(b'content', str(tmp_path / 'file/a.pth'))
