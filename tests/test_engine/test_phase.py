from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config, ConfigDict
from torch import nn

from sr4ir_mm.errors import ConfigError
from sr4ir_mm.models.losses import build_losses
from sr4ir_mm.models.phases import build_phases, check_begins, only_training
from tests.helpers.builders import ROOT, SR4IR_PHASES

TERMS = build_losses(dict(tdp=dict(features=[-1], weights=[1.0])))
CASCADE = SimpleNamespace(losses=TERMS, trainable_parts=dict(restorer=None, recognizer=None))


def build(*phases):
    return build_phases([ConfigDict(phase) for phase in phases], CASCADE)


def test_reads_the_table():
    restore, recognize = build(*SR4IR_PHASES)
    assert restore.update == ('restorer',)
    assert [(loss.term, loss.weight, loss.begin) for loss in restore.losses] == [('pixel', 1.0, 0), ('tdp', 1.0, 1)]
    assert [loss.log_name for loss in recognize.losses] == ['loss_task_sr', 'loss_task_hr', 'loss_task_cqmix']


def test_a_loss_begins_when_it_is_due():
    restore = build(*SR4IR_PHASES)[0]
    assert [loss.term for loss in restore.at(0).losses] == ['pixel']
    assert [loss.term for loss in restore.at(1).losses] == ['pixel', 'tdp']


def test_a_term_in_two_phases_is_logged_with_its_phase():
    phases = build(
        dict(name='restore', update='restorer', losses=dict(pixel=1, task_sr=1)),
        dict(name='recognize', update='recognizer', losses=dict(task_sr=1)),
    )
    names = [loss.log_name for phase in phases for loss in phase.losses]
    assert names == ['loss_pixel', 'loss_restore_task_sr', 'loss_recognize_task_sr']


@pytest.mark.parametrize(
    'change, message',
    [
        (
            dict(update='restorr'),
            r"phases\[0\].update is 'restorr'; allowed: 'restorer', 'recognizer'. Did you mean 'restorer'",
        ),
        (
            dict(losses=dict(pixle=1.0)),
            r"a loss term of train_cfg.phases\[0\] is 'pixle'; allowed: .*Did you mean 'pixel'",
        ),
        (
            dict(losses=dict(task_hr=1.0)),
            r"updates 'restorer', but none of its losses \(task_hr\) reaches it; allowed: pixel",
        ),
        (dict(losses=dict(pixel=-1)), r'losses.pixel.weight is -1; allowed: a number that is not negative'),
        (dict(losses=dict(pixel=dict(weigth=1))), r"a key of train_cfg.phases\[0\].losses.pixel is 'weigth'"),
        (dict(losses={}), 'has no `losses`'),
        (dict(loss=1), r"a key of train_cfg.phases\[0\] is 'loss'"),
        (
            dict(train_mode=['recogniser']),
            r"phases\[0\].train_mode is 'recogniser'; allowed: .*Did you mean 'recognizer'",
        ),
        (
            dict(train_mode='restorer'),
            r"phases\[0\].train_mode has 'restorer', which .*phases\[0\].update has too: what is updated",
        ),
    ],
)
def test_a_mistake_is_told(change, message):
    phase = dict(dict(name='restore', update='restorer', losses=dict(pixel=1.0)), **change)
    with pytest.raises(ConfigError, match=message):
        build(phase)


def test_no_phase_and_equal_names_are_refused():
    with pytest.raises(ConfigError, match='phases is empty'):
        build()
    with pytest.raises(ConfigError, match='each must be different'):
        build(SR4IR_PHASES[0], SR4IR_PHASES[0])


def test_only_training_restores_what_was():
    parts = dict(restorer=nn.Conv2d(3, 3, 1), recognizer=nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)))
    frozen = parts['recognizer'][0].weight.requires_grad_(False)
    parts['recognizer'][1].eval()
    before = [module.training for part in parts.values() for module in part.modules()]
    with pytest.raises(RuntimeError), only_training(parts, ['restorer']):
        assert not any(parameter.requires_grad for parameter in parts['recognizer'].parameters())
        assert not any(module.training for module in parts['recognizer'].modules())
        assert parts['restorer'].training and parts['restorer'].weight.requires_grad
        raise RuntimeError('an error on the way')
    assert before == [module.training for part in parts.values() for module in part.modules()]
    assert not frozen.requires_grad and parts['recognizer'][1].weight.requires_grad
    with only_training(parts, ['recognizer']):
        assert not frozen.requires_grad and not parts['restorer'].weight.requires_grad


def test_a_frozen_part_in_train_mode_draws_dropout_but_keeps_statistics_and_gradients():
    parts = dict(
        restorer=nn.Sequential(nn.BatchNorm2d(3), nn.Dropout(0.5), nn.InstanceNorm2d(3, track_running_stats=True)),
        recognizer=nn.Conv2d(3, 3, 1),
    )
    restorer = parts['restorer'].train()
    restorer[0].bias.requires_grad_(False)
    before = {name: value.clone() for name, value in restorer.state_dict().items()}
    image = torch.randn(2, 3, 8, 8)
    with only_training(parts, ['recognizer'], ['restorer']):
        draws = [restorer(image) for _ in range(2)]
        assert not torch.equal(*draws) and not draws[0].requires_grad
        assert not any(parameter.requires_grad for parameter in restorer.parameters())
        assert parts['recognizer'].training and parts['recognizer'].weight.requires_grad
    assert all(torch.equal(value, before[name]) for name, value in restorer.state_dict().items())
    assert all(module.training for module in restorer.modules())
    assert restorer[0].weight.requires_grad and not restorer[0].bias.requires_grad


def test_a_phase_without_the_key_has_frozen_parts_in_eval_mode():
    assert [phase.train_mode for phase in build(*SR4IR_PHASES)] == [(), ()]
    assert build(SR4IR_PHASES[0], dict(SR4IR_PHASES[1], train_mode='restorer'))[1].train_mode == ('restorer',)


def test_the_published_recipe_has_stochastic_depth_on_and_its_baselines_off(with_protocol):
    """As in the reference: only SR4IR leaves its restorer in train mode while the recognizer learns."""
    for name in ('deeplabv3_swinir_x4_voc', 'faster-rcnn_swinir_x8_voc', 'resnet18_swinir_x4_cub'):
        path = ROOT / f'configs/sr4ir/{name}.py'
        for cfg, expected in ((Config.fromfile(path), [(), ('restorer',)]), (with_protocol(path, 's2t'), [()])):
            assert cfg.model.restorer.get('drop_path_rate', 0.1) == 0.1  # mmagic's default, as published
            assert [phase.train_mode for phase in build(*cfg.train_cfg.phases)] == expected


def test_the_measurement_of_train_mode_changes_nothing_else():
    demo = Config.fromfile(ROOT / 'configs/demo/sr4ir_fpn_swinir_x4_demo.py').train_cfg.phases
    row = Config.fromfile(ROOT / 'configs/_base_/study_train_mode.py').protocols['sr4ir-train-mode'].phases
    assert row[1].pop('train_mode') == ['restorer'] and row == demo


def test_a_phase_that_never_begins_is_refused():
    late = build(SR4IR_PHASES[1], dict(name='late', update='restorer', losses=dict(tdp=dict(weight=1.0, begin=2))))
    check_begins(late, 3)
    message = (
        r"^train_cfg.phases\[1\].losses.tdp.begin is 2, but the training ends after 2, .*'late' never .*at most 1.$"
    )
    with pytest.raises(ConfigError, match=message):
        check_begins(late, 2)


def test_a_loss_that_never_begins_is_told(monkeypatch):
    told = []
    monkeypatch.setattr('sr4ir_mm.models.phases.print_log', lambda line, *args: told.append(line))
    check_begins(build(*SR4IR_PHASES), 2)
    assert not told
    check_begins(build(*SR4IR_PHASES), 1)
    assert told == [
        'train_cfg.phases[0].losses.tdp.begin is 1, but the training ends after 1: this loss is never used.'
    ]
