"""Schedules follow the length of the training, and say so where they do not."""

import math
import re

import pytest
import torch
from mmengine.config import Config
from mmengine.optim.scheduler import ConstantLR, CosineAnnealingLR, LinearLR, MultiStepLR, OneCycleLR, StepLR

from sr4ir_mm.config import load_config
from sr4ir_mm.config.schedules import to_the_end
from sr4ir_mm.engine import CosineRestartLR
from sr4ir_mm.engine.schedulers import check_schedules
from sr4ir_mm.errors import ConfigError
from tests.helpers.training import history, run

LENGTHS = dict(max_epochs=8, max_iters=80)


@pytest.mark.parametrize('epochs', [1, 3])
def test_a_cosine_ends_with_a_training_of_any_length(voc_cfg, epochs):
    cosine = dict(type='CosineAnnealingLR', T_max='max_epochs', eta_min=1e-6, convert_to_iter_based=True)
    voc_cfg.param_scheduler = dict(restorer=[cosine], recognizer=[cosine])
    voc_cfg.train_cfg.max_epochs = epochs
    count = 2 * epochs
    expected = [1e-6 + (1e-4 - 1e-6) * (1 + math.cos(math.pi * step / count)) / 2 for step in range(count)]
    assert history(run(voc_cfg), 'restorer.lr') == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    'scheduler, expected',
    [
        (dict(T_max='max_epochs'), dict(T_max=8)),
        (dict(T_max='max_epochs', begin=2), dict(T_max=6)),
        (dict(total_steps='max_iters', by_epoch=False), dict(total_steps=80)),
        (dict(begin=1, end='max_epochs'), dict(end=8)),
        (dict(periods=[2, 'max_epochs'], begin=1), dict(periods=[2, 5])),
    ],
)
def test_a_word_for_the_end(scheduler, expected):
    cfg = dict(restorer=[dict(type='Some', **scheduler)], recognizer=dict(type='Other', T_max=3))
    found = to_the_end(cfg, LENGTHS)
    assert found == dict(restorer=[dict(cfg['restorer'][0], **expected)], recognizer=dict(type='Other', T_max=3))
    assert to_the_end(None, LENGTHS) is None


@pytest.mark.parametrize(
    'scheduler, message',
    [
        (dict(T_max='max_epoch'), r"param_scheduler.restorer.0.T_max is 'max_epoch'; allowed: 'max_epochs'"),
        (dict(T_max='max_epochs', by_epoch=False), "T_max is 'max_epochs'; allowed: 'max_iters'"),
        (dict(T_max='max_epochs', begin=8), 'the scheduler begins after the training of 8 has ended'),
        (dict(periods=[9, 'max_epochs']), "periods is 'max_epochs', but the scheduler begins after"),
    ],
)
def test_a_wrong_word_for_the_end(scheduler, message):
    with pytest.raises(ConfigError, match=message):
        to_the_end(dict(restorer=[dict(type='Some', **scheduler)]), LENGTHS)


def test_numbers_that_were_the_old_length_follow_the_new_one(tmp_path, capsys):
    path = tmp_path / 'old.py'
    Config(
        dict(
            train_cfg=dict(max_epochs=100),
            param_scheduler=dict(
                restorer=[
                    dict(type='LinearLR', end=10),
                    dict(type='CosineAnnealingLR', begin=10, T_max=90, end=100),
                    dict(type='CosineAnnealingLR', T_max=100, by_epoch=False),
                ],
                recognizer=[
                    dict(type='OneCycleLR', total_steps=100),
                    dict(type='CosineRestartLR', periods=[10, 90], end=100),
                    dict(type='MultiStepLR', milestones=[60, 80]),
                ],
            ),
        )
    ).dump(str(path))

    def loaded(**overrides):
        cfg = load_config(str(path), {key.replace('__', '.'): value for key, value in overrides.items()})
        return [
            {name: value for name, value in each.items() if name in ('T_max', 'total_steps', 'end', 'periods')}
            for part in ('restorer', 'recognizer')
            for each in cfg.param_scheduler[part]
        ]

    follows = [
        dict(end=10),
        dict(T_max=40, end=50),
        dict(T_max=100),
        dict(total_steps=50),
        dict(periods=[10, 40], end=50),
        {},
    ]
    assert loaded(train_cfg__max_epochs=50) == follows
    output = capsys.readouterr().out
    assert (
        'train_cfg.max_epochs is 50 instead of 100, and so param_scheduler.restorer.1.T_max is 40 instead of 90.'
    ) in output
    # what the command line says counts; a warm-up that is longer than the training stays, and is told at its beginning
    given = loaded(train_cfg__max_epochs=50, param_scheduler__recognizer__0__total_steps=100)
    assert given == [*follows[:3], dict(total_steps=100), *follows[4:]]
    assert loaded(train_cfg__max_epochs=5)[4] == dict(periods=[10, 90], end=5)
    capsys.readouterr()
    assert loaded()[1] == dict(T_max=90, end=100)
    assert 'instead of' not in capsys.readouterr().out


def build(scheduler, **kwargs):
    return scheduler(torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1), **kwargs)


@pytest.fixture
def told(monkeypatch):
    """What would be logged."""
    sentences = []
    monkeypatch.setattr('sr4ir_mm.engine.schedulers.print_log', lambda sentence, *args: sentences.append(sentence))
    return sentences


@pytest.mark.parametrize(
    'schedulers, message',
    [
        (
            [(CosineAnnealingLR, dict(T_max=4, end=8))],
            r"The schedule of 'restorer' \(CosineAnnealingLR, .*\) is over after 4 of 8 epochs. .* write 'max_epochs'",
        ),
        (
            [(CosineAnnealingLR, dict(T_max=16, end=8))],
            r"ends after 8 epochs, within the schedule of 'restorer' \(CosineAnnealingLR, .*\) of 16: the value has not",
        ),
        ([(CosineAnnealingLR, dict(T_max=40, by_epoch=False))], 'is over after 40 of 80 iterations'),
        (
            [
                (LinearLR, dict(end=2)),
                (CosineRestartLR, dict(begin=2, periods=[1, 4], restart_weights=[1, 1], eta_min=0, end=8)),
            ],
            'CosineRestartLR, .* is over after 7 of 8 epochs',
        ),
        ([(LinearLR, dict(end=9))], r'LinearLR.* of 9'),
        ([(MultiStepLR, dict(milestones=[4, 8, 12], end=8))], r'before the milestones \[8, 12\] of the schedule'),
        ([(StepLR, dict(step_size=2, end=6))], 'is over after 6 of 8'),
    ],
)
def test_what_does_not_fit_is_told(schedulers, message, told):
    check_schedules(dict(restorer=[build(kind, **kwargs) for kind, kwargs in schedulers]), LENGTHS)
    assert len(told) == 1 and re.search(message, told[0])


@pytest.mark.parametrize(
    'schedulers',
    [
        [(CosineAnnealingLR, dict(T_max=8, end=8))],
        [(LinearLR, dict(end=2))],  # a warm-up alone
        [(ConstantLR, dict(end=3))],
        [
            (LinearLR, dict(end=2)),
            (CosineRestartLR, dict(begin=2, periods=[2, 4], restart_weights=[1, 1], eta_min=0, end=8)),
        ],
        [(MultiStepLR, dict(milestones=[4, 7], end=8))],
        [(StepLR, dict(step_size=100))],
        [(OneCycleLR, dict(eta_max=1.0, total_steps=80, by_epoch=False))],
    ],
)
def test_what_fits_is_not_told(schedulers, told):
    check_schedules(dict(restorer=[build(kind, **kwargs) for kind, kwargs in schedulers]), LENGTHS)
    check_schedules(None, LENGTHS)
    assert not told


def test_a_schedule_without_values_for_the_end_is_refused_before_training(voc_cfg):
    one_cycle = dict(type='OneCycleLR', eta_max=1e-3, total_steps=2, convert_to_iter_based=True)
    voc_cfg.param_scheduler = dict(restorer=[one_cycle], recognizer=[one_cycle])
    voc_cfg.train_cfg.max_epochs = 3
    with pytest.raises(
        ConfigError,
        match='is over after 4 of 6 iterations, and it has no value for those after its end; .* '
        "total_steps to 'max_iters', or with convert_to_iter_based 'max_epochs'",
    ):
        run(voc_cfg)
