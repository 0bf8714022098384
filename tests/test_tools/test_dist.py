"""The scripts for several processes, from the command line, on the CPU."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from sr4ir_mm.checkpoints import load_checkpoint
from sr4ir_mm.engine import init_dist_without_gpu
from sr4ir_mm.engine.stop import EXIT_CODE
from sr4ir_mm.errors import ConfigError
from sr4ir_mm.utils.ports import port_problem
from tests.helpers.builders import ROOT, segmentor
from tests.helpers.scripts import finish, start


@pytest.fixture
def gn_config(voc_cfg, tmp_path):
    """With group norm, of which the statistics do not depend on how a batch is split."""
    voc_cfg.model.recognizer = segmentor('GN')
    voc_cfg.optim_wrapper.restorer.optimizer = dict(type='SGD', lr=0.01)
    voc_cfg.train_dataloader.dataset.pipeline.insert(2, dict(type='RandomFlip', prob=0.5))
    voc_cfg.model_wrapper_cfg = dict(type='sr4ir_mm.CascadeDistributedDataParallel')
    path = tmp_path / 'gn.py'
    Config(voc_cfg).dump(str(path))
    return str(path)


def test_two_processes_train_test_and_resume(gn_config, tool, tmp_path):
    two, one = tmp_path / 'two', tmp_path / 'one'
    batch = ('--cfg-options', 'train_dataloader.batch_size=1')
    output = finish(start('dist_train.sh', gn_config, 2, '--work-dir', two, *batch, 'train_cfg.max_epochs=1'))
    assert (two / 'epoch_1.pth').exists(), output
    output = finish(start('dist_train.sh', gn_config, 2, '--work-dir', two, '--resume', *batch))
    assert (two / 'epoch_2.pth').exists(), output
    tool('train').main([gn_config, '--work-dir', str(one)])
    found, expected = (load_checkpoint(folder / 'epoch_2.pth') for folder in (two, one))
    assert found['state_dict'].keys() == expected['state_dict'].keys()
    assert len(found['resume_state']['processes']) == 2
    for name, value in expected['state_dict'].items():
        assert torch.allclose(found['state_dict'][name], value, rtol=1e-5, atol=1e-5), name

    alone = tool('test').main([gn_config, str(two / 'epoch_2.pth')])
    output = finish(start('dist_test.sh', gn_config, two / 'epoch_2.pth', 2, '--work-dir', tmp_path / 'test'))
    together = json.loads(next((tmp_path / 'test').glob('*/*.json')).read_text())
    assert together['mIoU'] == pytest.approx(alone['mIoU']) and together['PSNR'] == pytest.approx(alone['PSNR']), output


def test_a_process_that_is_killed_ends_the_job_and_is_named(gn_config, tmp_path):
    work_dir = tmp_path / 'killed'
    job = start(
        'dist_train.sh',
        gn_config,
        2,
        '--work-dir',
        work_dir,
        '--cfg-options',
        'train_dataloader.batch_size=1',
        'train_cfg.max_epochs=10000',
        'env_cfg.dist_cfg.timeout=20',
        'default_hooks.checkpoint.max_keep_ckpts=2',
    )
    deadline = time.monotonic() + 100
    while not (work_dir / 'last_checkpoint').exists() and time.monotonic() < deadline and job.poll() is None:
        time.sleep(0.1)
    killed = time.monotonic()
    for child in Path(f'/proc/{job.pid}/task/{job.pid}/children').read_text().split():
        if b'\0RANK=1\0' in Path(f'/proc/{child}/environ').read_bytes():
            os.kill(int(child), signal.SIGKILL)
    output = finish(job, timeout=60)
    assert job.returncode != 0
    assert time.monotonic() - killed < 60
    # torchrun's own report
    assert re.search(r'rank\s*: 1 ', output) and 'Signal 9 (SIGKILL)' in output
    assert list(work_dir.glob('epoch_*.pth'))


def test_a_job_that_is_asked_to_stop_says_so_by_its_exit_code(gn_config, tmp_path):
    work_dir = tmp_path / 'stopped'
    arguments = (gn_config, 2, '--work-dir', work_dir, '--cfg-options', 'train_dataloader.batch_size=1')
    job = start('dist_train.sh', *arguments, 'train_cfg.max_epochs=10000', 'default_hooks.checkpoint.max_keep_ckpts=2')
    deadline = time.monotonic() + 300
    while not (work_dir / 'last_checkpoint').exists() and time.monotonic() < deadline and job.poll() is None:
        time.sleep(0.1)
    os.kill(job.pid, signal.SIGUSR1)  # to the launcher, which passes it on
    output = finish(job)
    assert job.returncode == EXIT_CODE, output
    # where the iteration is the last of an epoch, the checkpoint is that of the epoch
    stopped = re.search(r'ends after iteration (\d+),.* --resume continues from (\S+\.pth)\.', output)
    assert load_checkpoint(stopped[2])['meta']['iter'] == int(stopped[1])


@pytest.fixture
def slurm_job(tmp_path):
    """tools/slurm_requeue.sh with a stand-in for srun, whose training ends with a code when it gets a signal."""

    def run(code, number):
        for name, content in {
            'srun': f'trap "exit {code}" USR1 TERM\ntouch started\nwhile :; do sleep 0.05; done',
            'scontrol': 'echo "$@" > requeued',
        }.items():
            (tmp_path / name).write_text(f'#!/bin/bash\ncd {tmp_path}\n{content}\n')
            (tmp_path / name).chmod(0o755)
        for name in ('started', 'requeued'):
            (tmp_path / name).unlink(missing_ok=True)
        job = subprocess.Popen(
            [str(ROOT / 'tools/slurm_requeue.sh'), 'gpu', 'job', 'c.py', 'work'],
            cwd=ROOT,
            env=dict(os.environ, PATH=f'{tmp_path}:{os.environ["PATH"]}', SLURM_JOB_ID='42'),
        )
        deadline = time.monotonic() + 60
        while not (tmp_path / 'started').exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        job.send_signal(number)
        requeued = tmp_path / 'requeued'
        return job.wait(60), requeued.read_text().strip() if requeued.exists() else None

    return run


def test_a_slurm_job_is_put_into_the_queue_again(slurm_job):
    assert slurm_job(EXIT_CODE, signal.SIGUSR1) == (EXIT_CODE, 'requeue 42')
    assert slurm_job(1, signal.SIGUSR1) == (1, None)  # a training that has failed
    assert slurm_job(EXIT_CODE, signal.SIGTERM) == (EXIT_CODE, None)  # one that its user has canceled
    text = (ROOT / 'tools/slurm_requeue.sh').read_text()
    assert '#SBATCH --signal=B:USR1@' in text and '#SBATCH --requeue' in text


def test_what_the_scripts_pass_on(tmp_path):
    """By a stand-in for python and srun that prints its arguments."""
    stand_in = tmp_path / 'srun'
    stand_in.write_text('#!/bin/sh\necho "$@"\n')
    stand_in.chmod(0o755)
    path = f'{tmp_path}:{os.environ["PATH"]}'

    def shown(script, *args, **env):
        result = subprocess.run(
            [str(ROOT / 'tools' / script), *args],
            text=True,
            capture_output=True,
            env=dict(os.environ, PATH=path, PYTHON=str(stand_in), **env),
        )
        return result.stdout.split() or result.stderr

    train = shown('dist_train.sh', 'c.py', '4', '--amp', NNODES='2', NODE_RANK='1', MASTER_ADDR='10.0.0.1', PORT='1234')
    assert train[0] == str(ROOT / 'tools/dist_run.py')
    assert {'--nnodes=2', '--node_rank=1', '--master_addr=10.0.0.1', '--master_port=1234', '--nproc_per_node=4'} < set(
        train
    )
    assert train[-5].endswith('/train.py') and train[-4:] == ['c.py', '--amp', '--launcher', 'pytorch']
    test = shown('dist_test.sh', 'c.py', 'w.pth', '2')
    assert test[-5].endswith('/test.py') and test[-4:] == ['c.py', 'w.pth', '--launcher', 'pytorch']
    assert 'usage: dist_train.sh CONFIG GPUS' in shown('dist_train.sh', 'c.py')

    slurm = shown('slurm_train.sh', 'gpu', 'job', 'c.py', 'out', '--resume', GPUS='4', SRUN_ARGS='--qos high')
    assert slurm[:6] == ['-p', 'gpu', '--job-name=job', '--gres=gpu:4', '--ntasks=4', '--ntasks-per-node=4']
    assert '--qos' in slurm and slurm[-5:] == ['c.py', '--work-dir=out', '--resume', '--launcher', 'slurm']
    slurm = shown('slurm_test.sh', 'gpu', 'job', 'c.py', 'w.pth', GPUS='16', GPUS_PER_NODE='4')
    assert slurm[3:6] == ['--gres=gpu:4', '--ntasks=16', '--ntasks-per-node=4']
    assert slurm[-4:] == ['c.py', 'w.pth', '--launcher', 'slurm']


@pytest.fixture
def busy_port():
    with socket.socket() as other:
        other.bind(('', 0))
        other.listen()
        yield str(other.getsockname()[1])


def test_a_port_in_use_is_told(busy_port):
    """By the launcher, before it starts a process: there is no such config."""
    arguments = ['no.py', '2']

    def run(port, **env):
        env = dict(os.environ, PYTHON=sys.executable, PORT=port, **env)
        command = [str(ROOT / 'tools/dist_train.sh'), *arguments]
        return subprocess.run(command, env=env, cwd=ROOT, text=True, capture_output=True, timeout=100)

    result = run(busy_port)
    assert result.returncode == 1
    found = re.fullmatch(
        rf"error: PORT is '{busy_port}', where this machine cannot listen \(Address already in use\), .*; (\d+) is free\. "
        r'Write PORT=… before the command\.\n',
        result.stderr,
    )
    assert found and int(found[1]) >= 1024 and not port_problem(found[1])
    assert run('many').stderr.startswith("error: PORT is 'many', allowed: 1 to 65535.")


@pytest.mark.parametrize('launcher, rank', [('slurm', 'SLURM_PROCID'), ('mpi', 'OMPI_COMM_WORLD_RANK')])
def test_a_port_in_use_is_told_by_the_first_process(launcher, rank, busy_port, monkeypatch):
    cfg = Config(dict(launcher=launcher))
    monkeypatch.setenv(rank, '0')
    monkeypatch.setenv('MASTER_PORT', busy_port)
    with pytest.raises(ConfigError, match=f"^MASTER_PORT is '{busy_port}', where this machine cannot listen"):
        init_dist_without_gpu(cfg)
    monkeypatch.setenv(rank, '1')  # which joins the first, wherever that is
    monkeypatch.setattr('torch.cuda.is_available', lambda: True)
    init_dist_without_gpu(cfg)
