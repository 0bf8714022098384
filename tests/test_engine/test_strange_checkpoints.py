"""A resume takes nothing from a checkpoint but what a training writes, and removes no file that is not its own."""

import copy
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.runner import Runner

from sr4ir_mm.checkpoints import load_checkpoint
from sr4ir_mm.checkpoints.integrity import latest_checkpoint
from sr4ir_mm.engine import ResumableCheckpointHook
from sr4ir_mm.engine.hooks.content import ContentHook, check_checkpoint_hook
from sr4ir_mm.errors import CheckpointError, ConfigError
from tests.helpers.training import run


def files(folder):
    return sorted(
        str(path.relative_to(folder))
        for path in Path(folder).rglob('*')
        if 'vis_data' not in str(path) and path.suffix in ('.pth', '.txt')
    )


def change(path, out=None, **runtime_info):
    """Write other things into the message hub of a checkpoint."""
    checkpoint = load_checkpoint(str(path))
    checkpoint['message_hub']['runtime_info'].update(runtime_info)
    torch.save(checkpoint, out or path)


@pytest.fixture
def best_cfg(voc_cfg):
    """With a best checkpoint in each epoch: the score rises with the epochs."""
    voc_cfg.train_cfg.val_interval = 1
    voc_cfg.default_hooks.checkpoint.update(save_best='PSNR', rule='greater', max_keep_ckpts=2)
    return voc_cfg


def worse(path):
    """Let the next validation be better than the best so far."""
    change(path, best_score=-1e9)


def test_only_the_best_checkpoint_of_this_training_is_removed(best_cfg, tmp_path):
    best_cfg.train_cfg.max_epochs = 1
    run(copy.deepcopy(best_cfg))
    work = Path(best_cfg.work_dir)
    assert 'best_PSNR_epoch_1.pth' in files(work)
    precious = tmp_path / 'precious'
    (precious / 'best_folder.pth').mkdir(parents=True)
    (precious / 'best_folder.pth/a.txt').touch()
    (precious / 'best_file.pth').touch()
    (work / 'best_folder.pth').mkdir()
    (work / 'best_folder.pth/a.txt').touch()
    (work / 'best_link.pth').symlink_to(precious / 'best_file.pth')
    (work / 'notes.txt').touch()
    best_cfg.train_cfg.max_epochs = 2
    change(work / 'epoch_1.pth', tmp_path / 'changed.pth', best_ckpt=str(precious), best_score=-1e9)
    before = files(tmp_path)
    runner = run(copy.deepcopy(best_cfg), resume=True, load_from=str(tmp_path / 'changed.pth'))
    assert [path for path in files(tmp_path) if 'epoch_2' not in path] == before
    assert 'best_PSNR_epoch_2.pth' in files(work)
    hook = next(hook for hook in runner.hooks if isinstance(hook, ResumableCheckpointHook))
    for named in (
        str(precious / 'best_file.pth'),
        'best_folder.pth',
        str(work / 'best_link.pth'),
        str(work / 'notes.txt'),
        str(work),
        '/',
        '',
        '..',
        'best_.pth/../epoch_1.pth',
        None,
        3,
        [str(precious)],
    ):
        hook._find_own_files(runner, dict(best_ckpt=named))
        assert hook.best_ckpt_path is None, named
    # and its own is
    os.remove(work / 'best_PSNR_epoch_2.pth')
    worse(work / 'epoch_1.pth')
    run(best_cfg, resume=True, load_from=str(work / 'epoch_1.pth'))
    assert 'best_PSNR_epoch_1.pth' not in files(work) and 'best_PSNR_epoch_2.pth' in files(work)


def test_a_copied_work_dir_leaves_the_original_alone(best_cfg, tmp_path):
    best_cfg.train_cfg.max_epochs = 1
    run(copy.deepcopy(best_cfg))
    original, copied = Path(best_cfg.work_dir), tmp_path / 'copied'
    worse(original / 'epoch_1.pth')
    shutil.copytree(original, copied)
    before = files(original)
    assert latest_checkpoint(str(copied)) == str(copied / 'epoch_1.pth')
    best_cfg.train_cfg.max_epochs = 2
    run(best_cfg, work_dir=str(copied), resume=True, load_from=str(copied / 'epoch_1.pth'))
    assert files(original) == before
    assert 'best_PSNR_epoch_1.pth' not in files(copied) and 'best_PSNR_epoch_2.pth' in files(copied)


def test_only_checkpoints_of_this_training_make_room(best_cfg, tmp_path):
    best_cfg.default_hooks.checkpoint.update(save_best=None, rule=None)
    best_cfg.train_cfg.max_epochs = 2
    run(copy.deepcopy(best_cfg))
    work = Path(best_cfg.work_dir)
    (work / 'epoch_7.pth').mkdir()
    (work / 'epoch_7.pth/a.txt').touch()
    (work / 'epoch_').mkdir()  # so that a path may begin with it
    (tmp_path / 'precious.pth').touch()
    change(work / 'epoch_2.pth', keep_ckpt_ids=[7, '/../../precious', -1, 'a', None, 1, 2])
    best_cfg.train_cfg.max_epochs = 4
    run(best_cfg, resume=True, load_from=str(work / 'epoch_2.pth'))
    assert files(work) == ['epoch_3.pth', 'epoch_4.pth', 'epoch_7.pth', 'epoch_7.pth/a.txt']
    assert (tmp_path / 'precious.pth').exists()


def test_last_checkpoint_names_no_other_files(tmp_path):
    for name in ('epoch_1.pth', 'epoch_\x1b[2J1.pth', 'epoch_1\n.pth', 'epoch_1x.pth'):
        (tmp_path / name).write_bytes(b'\x80')
    assert latest_checkpoint(str(tmp_path)) == str(tmp_path / 'epoch_1.pth')
    for text in ('/\x1b[2J/epoch_1.pth', 'a' * 10**6, '\udc80', '/nowhere/epoch_1.pth', '\0'):
        (tmp_path / 'empty').mkdir(exist_ok=True)
        (tmp_path / 'empty/last_checkpoint').write_bytes(text.encode(errors='surrogateescape'))
        assert latest_checkpoint(str(tmp_path / 'empty')) is None


def test_the_config_in_a_checkpoint_is_not_run(best_cfg, tmp_path, monkeypatch):
    best_cfg.train_cfg.max_epochs = 1
    best_cfg.default_hooks.checkpoint.update(save_best=None, rule=None)
    run(copy.deepcopy(best_cfg))
    path = Path(best_cfg.work_dir) / 'epoch_1.pth'
    checkpoint = torch.load(path)
    checkpoint['meta']['config'] = "open('executed', 'w')"
    checkpoint['message_hub']['runtime_info'].update(cfg="open('executed', 'w')", experiment_name='theirs')
    torch.save(checkpoint, path)
    monkeypatch.chdir(tmp_path)
    best_cfg.train_cfg.max_epochs = 2
    runner = run(best_cfg, resume=True, load_from=str(path))
    assert runner.iter == 4 and not (tmp_path / 'executed').exists()
    # nor is it handed on, in a checkpoint that is trusted since it was made here
    info = load_checkpoint(f'{best_cfg.work_dir}/epoch_2.pth')['message_hub']['runtime_info']
    assert 'executed' not in info['cfg'] and info['experiment_name'] == runner.experiment_name


@pytest.mark.parametrize(
    'hook, resume, found',
    [(dict(type='CheckpointHook', interval=1), False, 'is a CheckpointHook of another'), (None, True, 'is missing')],
)
def test_another_checkpoint_hook_is_refused(voc_cfg, hook, resume, found):
    voc_cfg.default_hooks.checkpoint = hook
    runner = Runner.from_cfg(voc_cfg)
    runner._resume = resume
    with pytest.raises(
        ConfigError, match=rf"default_hooks.checkpoint {found}.*dict\(type='sr4ir_mm.ResumableCheckpointHook'"
    ):
        check_checkpoint_hook(runner)
    if not resume:
        with pytest.raises(ConfigError, match='default_hooks.checkpoint is a CheckpointHook'):
            runner.train()


# ---------- what a well-formed checkpoint may hold


def put(*keys):
    """Set what is below these keys; the last argument is the value."""
    *parents, key, value = keys

    def apply(checkpoint):
        node = checkpoint
        for parent in parents:
            node = node[parent]
        node[key] = value

    return apply


def without(*keys):
    *parents, key = keys

    def apply(checkpoint):
        node = checkpoint
        for parent in parents:
            node = node[parent]
        del node[key]

    return apply


def of_optimizer(*keys):
    return put('optimizer', 'restorer', *keys)


def of_process(*keys):
    return put('resume_state', 'processes', 0, *keys)


TERMINAL = '\x1b]0;owned\x07' * 10
STRANGE = {
    'epoch as text': (put('meta', 'epoch', '1'), 'meta.epoch is 1, not a whole number from 0'),
    'epoch for a terminal': (put('meta', 'epoch', TERMINAL), r"meta.epoch is '\\x1b\]0;owned"),
    'no iter': (without('meta', 'iter'), 'meta.iter is None'),
    'a negative iter': (put('meta', 'iter', -2), 'meta.iter is -2'),
    'an iter of another epoch': (put('meta', 'iter', 10**15), 'meta.iter is 1000000000000000, which does not belong'),
    'a float as iter': (put('meta', 'iter', 2.5), 'meta.iter is 2.5'),
    'a seed as text': (put('meta', 'seed', 'a'), 'meta.seed is a,'),
    'a large seed': (put('meta', 'seed', 2**40), 'meta.seed is 1099511627776'),
    'a list as meta': (put('meta', [1]), 'holds a list as `meta`'),
    'a list as weights': (put('state_dict', [1]), 'holds a list as `state_dict`'),
    'a number as weight': (
        put('state_dict', 'restorer.conv_first.weight', 1.0),
        'no tensors as restorer.conv_first.weight',
    ),
    'a number as name': (put('state_dict', 1, torch.ones(1)), 'a int as name of a weight'),
    'a list as message hub': (put('message_hub', [1]), '`message_hub` has no dict `log_scalars`'),
    'no runtime_info': (without('message_hub', 'runtime_info'), '`message_hub` has no dict `runtime_info`'),
    'a number as resumed keys': (put('message_hub', 'resumed_keys', 1), 'no dict `resumed_keys`'),
    'a number as log': (
        put('message_hub', 'log_scalars', 'train/loss', 1.0),
        'a float as train/loss, not a HistoryBuffer',
    ),
    'numbers as names of logs': (put('message_hub', 'log_scalars', 1, 1), 'names that are not text'),
    'a text as best score': (
        put('message_hub', 'runtime_info', 'best_score', 'a'),
        'a str as best_score, not a number',
    ),
    'a list as resume state': (put('resume_state', [1]), '`resume_state` is a list'),
    'no processes': (put('resume_state', 'processes', []), 'resume_state.processes is not a list of dicts'),
    'processes as dict': (put('resume_state', 'processes', {}), 'resume_state.processes is not a list of dicts'),
    'a process as number': (put('resume_state', 'processes', [1]), 'resume_state.processes is not a list of dicts'),
    'a process without seeds': (
        without('resume_state', 'processes', 0, 'seeds'),
        r'processes\[0\] lacks seeds|lacks `seeds`',
    ),
    'seeds as text': (of_process('seeds', 'ab'), 'seeds are not two whole numbers'),
    'batches as text': (put('resume_state', 'batches_per_epoch', 'a'), 'batches_per_epoch is a, not'),
    'no batches': (without('resume_state', 'batches_per_epoch'), 'lacks `batches_per_epoch`'),
    'validated at a list': (put('resume_state', 'validated_at', [1]), 'validated_at is a list'),
    'a buffer as text': (
        of_process('buffers', {'model.recognizer.backbone.layer1.0.bn1.running_mean': 'a'}),
        r'processes\[0\].buffers has no tensor of',
    ),
    'buffers as list': (of_process('buffers', [1]), r'buffers is a list, not a dict'),
    'kinds as list': (put('resume_state', 'kinds', [1]), 'resume_state.kinds does not name optimizers'),
    'a kind as list': (put('resume_state', 'kinds', 'optimizers', 'restorer', []), 'kinds has names that are not text'),
    'random numbers as text': (of_process('random', 'a'), 'random is a str, not a dict'),
    'random numbers of another size': (
        of_process('random', 'torch', torch.ones(3, dtype=torch.uint8)),
        'random.torch is not a tensor',
    ),
    'random numbers of Python': (
        of_process('random', 'python', (3, (2**40,) * 625, None)),
        'not a state of random generators',
    ),
    'random numbers of NumPy': (
        of_process('random', 'numpy', ('a', torch.zeros(624).long(), 1, 0, 0.0)),
        'not a state of random gen',
    ),
    'gradients as list': (of_process('gradients', [1]), 'gradients is a list'),
    'gradients of nothing': (of_process('gradients', dict(restorer=[])), "not those of the parameters of 'restorer'"),
    'a list as optimizers': (put('optimizer', [1]), '`optimizer` is a list'),
    'a list as optimizer': (put('optimizer', 'restorer', [1]), 'optimizer.restorer is not the state of an optimizer'),
    'an optimizer too many': (put('optimizer', 'other', {}), '`optimizer` has other, for which there is no optimizer'),
    'no groups': (of_optimizer('param_groups', []), 'optimizer.restorer has 0 groups of parameters'),
    'a number as group': (of_optimizer('param_groups', 0, 1), 'is not a group of parameters'),
    'too few parameters': (of_optimizer('param_groups', 0, 'params', [0]), 'has 1 parameters, but the config makes'),
    'a text as learning rate': (
        of_optimizer('param_groups', 0, 'lr', 'a'),
        r'param_groups\[0\].lr is a str, not a number',
    ),
    'betas as number': (of_optimizer('param_groups', 0, 'betas', 1.0), 'betas is not a list of 2 values'),
    'a state as list': (of_optimizer('state', [1]), 'optimizer.restorer is not the state of an optimizer'),
    'a state of no parameter': (of_optimizer('state', 10**6, {}), 'the number of no parameter'),
    'a state as number': (of_optimizer('state', 0, 1), 'the number of no parameter'),
    'an average as text': (of_optimizer('state', 0, 'exp_avg', 'a'), r'state\[0\] has exp_avg that does not fit'),
    'an average of another shape': (
        of_optimizer('state', 0, 'exp_avg', torch.ones(1, 1)),
        'has exp_avg that does not fit',
    ),
    'schedulers as list': (put('param_schedulers', [1]), '`param_schedulers` is a list, not a dict'),
    'schedulers of numbers': (
        put('param_schedulers', 'restorer', [1]),
        'param_schedulers.restorer is not a list of dicts',
    ),
    'a step as text': (put('param_schedulers', 'restorer', 0, 'last_step', 'a'), 'last_step is a str, not a number'),
    'a method': (
        put('param_schedulers', 'restorer', 0, 'step', 1),
        'has step, which is nothing that a scheduler saves',
    ),
    'averages as list': (put('ema_state_dict', [1]), '`ema_state_dict` is a list'),
    'an average of text': (put('ema_state_dict', 'module.conv_first.weight', 'a'), 'a str as module.conv_first.weight'),
    'a record as list': (put('run_record', [1]), '`run_record` is not a dict of numbers'),
    'a record of texts': (put('run_record', dict(seconds='a')), '`run_record` is not a dict of numbers'),
}


#: told before any hook sees the checkpoint
OF_READER = ('a list as meta', 'a list as weights', 'a number as name')


def test_strange_contents_are_told_in_a_sentence(voc_cfg, tmp_path):
    voc_cfg.param_scheduler = dict(
        restorer=[dict(type='CosineAnnealingLR', T_max=4)], recognizer=[dict(type='ConstantLR')]
    )
    voc_cfg.optim_wrapper.restorer.optimizer = dict(type='Adam', lr=1e-4)
    voc_cfg.train_cfg.max_epochs = 1
    voc_cfg.custom_hooks.append(dict(type='sr4ir_mm.RunRecordHook', out_file=str(tmp_path / 'run.json')))
    voc_cfg.custom_hooks.append(dict(type='sr4ir_mm.PartEMAHook', part='restorer'))
    run(copy.deepcopy(voc_cfg))
    path = f'{voc_cfg.work_dir}/epoch_1.pth'
    voc_cfg.update(resume=True, load_from=str(tmp_path / 'strange.pth'))
    runner = Runner.from_cfg(voc_cfg)
    # as its `train` does before it reads the checkpoint
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    runner.param_schedulers = runner.build_param_scheduler(runner.param_schedulers)
    assert isinstance(runner.hooks[0], ContentHook)
    runner.call_hook('before_run')

    def resume(checkpoint):
        torch.save(checkpoint, voc_cfg.load_from)
        runner._has_loaded = False
        runner.load_or_resume()

    good = load_checkpoint(path)
    resume(good)
    for what, (apply, message) in STRANGE.items():
        checkpoint = copy.deepcopy(good)
        apply(checkpoint)
        of_reader = what in OF_READER
        with pytest.raises(CheckpointError, match=message) as error:
            resume(checkpoint) if of_reader else runner.hooks[0].after_load_checkpoint(runner, checkpoint)
        text = str(error.value)
        assert text.isprintable() and len(text) < 500 and voc_cfg.load_from in text, what


def test_a_history_that_is_none(tmp_path):
    history = HistoryBuffer()
    history.update(1.0)
    for values in (np.ones((2, 2)), np.ones(3), np.array(['a'])):
        history._log_history = values
        torch.save(dict(message_hub=history), tmp_path / 'a.pth')
        with pytest.raises(CheckpointError, match='a history of MMEngine is described wrongly'):
            load_checkpoint(str(tmp_path / 'a.pth'))


def test_load_from_tells_too(voc_cfg, tmp_path):
    voc_cfg.load_from = str(tmp_path / 'a.pth')
    for content, message in (
        (dict(state_dict=[1]), 'holds a list as `state_dict`'),
        (dict(state_dict={1: torch.ones(1)}), 'a int as name of a weight'),
        ({'restorer.conv_first.weight': 'a'}, 'has no tensors as restorer.conv_first.weight'),
    ):
        torch.save(content, voc_cfg.load_from)
        with pytest.raises(CheckpointError, match=message):
            run(copy.deepcopy(voc_cfg))


def test_an_optimizer_without_momentum_is_resumed(voc_cfg):
    """SGD writes None in the place of each buffer."""
    voc_cfg.optim_wrapper.restorer.optimizer = dict(type='SGD', lr=1e-3)
    voc_cfg.train_cfg.max_epochs = 1
    run(copy.deepcopy(voc_cfg))
    voc_cfg.update(resume=True, load_from=f'{voc_cfg.work_dir}/epoch_1.pth')
    voc_cfg.train_cfg.max_epochs = 2
    assert run(voc_cfg).iter == 4
