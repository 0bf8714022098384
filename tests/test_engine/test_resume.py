"""A training that was stopped and resumed is the training that was not stopped, to the last bit."""

import copy
import logging
import shutil

import numpy as np
import pytest
import torch
from mmcv.transforms import BaseTransform
from mmengine.registry import TRANSFORMS
from mmengine.runner import Runner

from sr4ir_mm.checkpoints import load_checkpoint
from sr4ir_mm.errors import CheckpointError, ConfigError
from tests.helpers.builders import SWINIR
from tests.helpers.training import (
    Killed,
    by_epoch,
    by_iteration,
    everything,
    finite_by_iteration,
    history,
    run,
    tensors,
    within_epochs,
)


@TRANSFORMS.register_module(force=True)
class Jitter(BaseTransform):
    """Something random of each library's kind."""

    def transform(self, results):
        noise = np.random.randint(0, 20) + int(torch.randint(0, 20, ()))
        results['img'] = (results['img'].astype(int) + noise).clip(0, 255).astype(np.uint8)
        return results


def stochastic_depth(cfg):
    """What the published recipe draws in both phases."""
    by_epoch(cfg)
    cfg.model.restorer = dict(SWINIR, drop_path_rate=0.5)
    cfg.train_cfg.phases[1].train_mode = ['restorer']


@pytest.mark.parametrize(
    'kind, stops',
    [
        (by_epoch, (3, 6)),
        (within_epochs, (5, 7)),
        (by_iteration, (4, 5)),
        (finite_by_iteration, (5,)),
        (everything, (4, 7)),
        (stochastic_depth, (3, 6)),
    ],
)
def test_stopped_and_resumed_is_not_stopped(voc_cfg, kind, stops, bfloat16):
    voc_cfg.train_dataloader.dataset.pipeline.insert(2, dict(type='Jitter'))
    voc_cfg.param_scheduler = dict(
        restorer=[dict(type='CosineAnnealingLR', T_max=8, by_epoch=False)],
        recognizer=[dict(type='LinearLR', start_factor=0.1, end=5, by_epoch=False)],
    )
    voc_cfg.model.recognizer.decode_head.dropout_ratio = 0.5
    kind(voc_cfg)
    whole_cfg = copy.deepcopy(voc_cfg)
    whole = run(whole_cfg, work_dir=voc_cfg.work_dir + '_whole')

    for index, stop in enumerate(stops):
        cfg = copy.deepcopy(voc_cfg)
        cfg.custom_hooks.append(dict(type='StopAt', at=stop))
        with pytest.raises(Killed):
            run(cfg, resume=index > 0)
    resumed = run(copy.deepcopy(voc_cfg), resume=True)

    assert resumed.iter == whole.iter == 8
    last = 'epoch_4.pth' if kind in (by_epoch, stochastic_depth) else 'iter_8.pth'
    ours, theirs = (tensors(load_checkpoint(f'{cfg}/{last}')) for cfg in (voc_cfg.work_dir, whole_cfg.work_dir))
    assert ours.keys() == theirs.keys() and len(ours) > 100
    different = [name for name in ours if not torch.equal(ours[name], theirs[name])]
    assert not different
    for name in ('loss_pixel', 'loss_task_sr', 'restorer.lr', 'recognizer.lr'):
        assert history(resumed, name) == history(whole, name)
    val, expected = (runner.message_hub.get_scalar('val/PSNR').data[0] for runner in (resumed, whole))
    assert val.tolist() == expected.tolist()


def test_workers_do_not_change_the_training(voc_cfg):
    voc_cfg.train_dataloader.dataset.pipeline.insert(2, dict(type='Jitter'))
    losses = []
    for workers, val_interval in ((0, 2), (2, 1)):
        cfg = copy.deepcopy(voc_cfg)
        cfg.train_dataloader.num_workers = workers
        cfg.train_cfg.val_interval = val_interval
        losses.append(history(run(cfg), 'loss'))
    assert losses[0] == losses[1]


def test_every_epoch_augments_anew(voc_cfg):
    voc_cfg.train_dataloader.dataset.pipeline = [
        dict(type='sr4ir_mm.LoadImage'),
        dict(type='Jitter'),
        dict(type='PackSegInputs'),
    ]
    voc_cfg.train_dataloader.update(num_workers=1, persistent_workers=False)
    voc_cfg.experiment_name = 'test_every_epoch'
    loop = Runner.from_cfg(voc_cfg).build_train_loop(voc_cfg.train_cfg)

    def means(epoch, skip=0):
        loop.dataloader.seek(epoch, skip)
        return [image.float().mean().item() for batch in loop.dataloader for image in batch['inputs']]

    assert sorted(means(0)) != sorted(means(1))
    assert means(0) == means(0)
    assert means(1, skip=1) == means(1)[2:]


def test_a_checkpoint_that_lacks_something_is_refused(voc_cfg):
    voc_cfg.custom_hooks.append(dict(type='EMAHook'))
    voc_cfg.param_scheduler = dict(restorer=[dict(type='ConstantLR')], recognizer=[dict(type='ConstantLR')])
    voc_cfg.train_cfg.max_epochs = 1
    run(copy.deepcopy(voc_cfg))
    path = f'{voc_cfg.work_dir}/epoch_1.pth'
    for remove, message in {
        'resume_state': 'it lacks `resume_state`. To begin a new training with its weights, set load_from instead',
        'optimizer': 'lacks `optimizer`',
        'optimizer.recognizer': "lacks the optimizer of 'recognizer'",
        'param_schedulers': 'lacks `param_schedulers`',
        'param_schedulers.restorer': "lacks schedulers of 'restorer'",
        'ema_state_dict': 'lacks `ema_state_dict`',
    }.items():
        checkpoint = load_checkpoint(path)
        node = checkpoint
        *parents, name = remove.split('.')
        for parent in parents:
            node = node[parent]
        node.pop(name)
        torch.save(checkpoint, f'{path}.part')
        with pytest.raises(ConfigError, match='cannot continue from .*epoch_1.pth.part') as error:
            run(copy.deepcopy(voc_cfg), resume=True, load_from=f'{path}.part')
        assert message in str(error.value)


def change(**values):
    """A change of the config by keys with __ for dots."""

    def apply(cfg):
        for key, value in values.items():
            *parents, name = key.split('__')
            node = cfg
            for parent in parents:
                node = node[parent]
            node[name] = value

    return apply


@pytest.fixture(scope='module')
def trained_once(tmp_path_factory):
    """A folder for the one training that the tests of this module share."""
    return tmp_path_factory.mktemp('trained')


@pytest.fixture
def trained(voc_cfg, trained_once, tmp_path):
    """The config of a training with schedules, and the path of its checkpoint after one of two epochs."""
    cosine = dict(type='CosineAnnealingLR', T_max='max_epochs', eta_min=0, convert_to_iter_based=True)
    voc_cfg.param_scheduler = dict(restorer=[cosine], recognizer=[dict(cosine)])
    if not (trained_once / 'epoch_1.pth').exists():
        run(copy.deepcopy(voc_cfg), work_dir=str(trained_once))
    return voc_cfg, shutil.copy(trained_once / 'epoch_1.pth', tmp_path)


def save_with(path, edit):
    checkpoint = load_checkpoint(path)
    edit(checkpoint)
    torch.save(checkpoint, f'{path}.other')
    return f'{path}.other'


def rename(state):
    state['restorer.conv_other.bias'] = state.pop('restorer.conv_first.bias')


def test_tensors_that_are_not_the_models_are_named(trained):
    cfg, path = trained
    for edit, message in (
        (lambda state: state.pop('restorer.conv_first.bias'), r"\(missing: 'restorer.conv_first.bias'\)"),
        (rename, r"\(missing: 'restorer.conv_first.bias'; not in the model: 'restorer.conv_other.bias'\)"),
        (
            lambda state: state.update({'restorer.conv_first.bias': torch.zeros(9)}),
            r"of another kind: 'restorer.conv_first.bias', \(9,\) float32 instead of \(8,\) float32",
        ),
        (
            lambda state: state.update({'restorer.conv_first.bias': torch.zeros(8).double()}),
            r'\(8,\) float64 instead of',
        ),
        (
            lambda state: state.update({'restorer.conv_first.bias': 'text'}),
            'has no tensors as restorer.conv_first.bias',
        ),
    ):
        other = save_with(path, lambda checkpoint: edit(checkpoint['state_dict']))
        with pytest.raises(CheckpointError, match=message):
            run(copy.deepcopy(cfg), resume=True, load_from=other)


def test_tensors_of_a_moving_average_are_compared_too(voc_cfg):
    voc_cfg.custom_hooks.append(dict(type='sr4ir_mm.PartEMAHook', part='restorer'))
    voc_cfg.train_cfg.max_epochs = 1
    run(copy.deepcopy(voc_cfg))
    for edit in (
        lambda checkpoint: rename(checkpoint['state_dict']),
        lambda checkpoint: checkpoint['ema_state_dict'].pop('module.conv_first.bias'),
    ):
        with pytest.raises(CheckpointError, match=r"missing: '(restorer|module).conv_first.bias'"):
            run(copy.deepcopy(voc_cfg), resume=True, load_from=save_with(f'{voc_cfg.work_dir}/epoch_1.pth', edit))


@pytest.mark.parametrize(
    'edit, message',
    [
        (
            change(optim_wrapper__restorer__optimizer__type='Adam'),
            "its optimizer of 'restorer' is 'AdamW', and the config has 'Adam'",
        ),
        (
            change(optim_wrapper__recognizer__paramwise_cfg=dict(norm_decay_mult=0.0)),
            r'optimizer.recognizer has 1 groups of parameters, but the config makes \d\d',
        ),
        (
            change(param_scheduler__restorer=[dict(type='PolyLR')]),
            r"its schedule of 'restorer' is \['CosineAnnealingLR'\], and the config has \['PolyLR'\]",
        ),
    ],
)
def test_another_kind_of_optimizer_or_schedule_is_refused(trained, edit, message):
    cfg, path = trained
    edit(cfg)
    with pytest.raises((ConfigError, CheckpointError), match=message):
        run(copy.deepcopy(cfg), resume=True, load_from=path)
    # of an older checkpoint, which has no names of them, the settings are compared
    if 'Adam' not in message:
        older = save_with(path, lambda checkpoint: checkpoint['resume_state'].pop('kinds'))
        with pytest.raises((ConfigError, CheckpointError), match="(its .* of 'restorer' is another one|has 1 groups)"):
            run(cfg, resume=True, load_from=older)


def test_what_a_resume_takes_from_where(trained, monkeypatch):
    cfg, path = trained
    expected = history(run(copy.deepcopy(cfg), resume=True, load_from=path), 'restorer.lr')
    change(
        optim_wrapper__restorer__optimizer__lr=5e-4,
        optim_wrapper__restorer__optimizer__betas=(0.5, 0.9),
        train_cfg__max_epochs=3,
    )(cfg)
    cfg.param_scheduler.restorer[0].eta_min = 1e-5
    told = []
    monkeypatch.setattr(logging.Logger, 'warning', lambda self, text, *args: told.append(text))
    resumed = run(cfg, resume=True, load_from=path)
    (sentence,) = (text for text in told if 'and the config differ' in text)
    for part in (
        'lr of restorer is 0.0001 (config: 0.0005)',
        'betas of restorer is [0.9, 0.999] (config: [0.5, 0.9])',
        'param_scheduler.restorer.0.eta_min is 0 (config: 1e-05)',
        'param_scheduler.restorer.0.T_max is 4 (config: 6)',
        'A resume takes optimizers and schedules from the checkpoint and everything else from the config',
    ):
        assert part in sentence
    assert 'recognizer is' not in sentence
    assert history(resumed, 'restorer.lr')[:4] == expected


def test_an_unchanged_resume_tells_no_difference(trained, monkeypatch):
    cfg, path = trained
    told = []
    monkeypatch.setattr(logging.Logger, 'warning', lambda self, text, *args: told.append(text))
    run(cfg, resume=True, load_from=path)
    assert not [text for text in told if 'differ' in text]


def test_weights_of_which_nothing_fits_are_refused(voc_cfg, tmp_path):
    voc_cfg.train_cfg.max_epochs = 1
    path = str(tmp_path / 'other.pth')
    torch.save(dict(state_dict={'backbone.bias': torch.zeros(1), 'restorer.conv_first.bias': torch.zeros(9)}), path)
    with pytest.raises(
        CheckpointError,
        match=r'Nothing of the checkpoint .*other.pth fits the model \(load_from\). It has '
        "for example 'backbone.bias', .*; the model has 'restorer",
    ):
        run(copy.deepcopy(voc_cfg), load_from=path)
    torch.save(dict(state_dict={'module.restorer.conv_first.bias': torch.zeros(8)}), path)
    run(voc_cfg, load_from=path)


def test_the_middle_of_an_epoch_needs_the_same_epoch(voc_cfg):
    within_epochs(voc_cfg)
    run(voc_cfg)
    voc_cfg.train_dataloader.batch_size = 1
    with pytest.raises(ConfigError, match='after batch 1 of an epoch of 2, but an epoch has 4 batches now'):
        run(voc_cfg, resume=True, load_from=f'{voc_cfg.work_dir}/iter_3.pth')
