"""The learning rates of every protocol and task at each iteration, against closed forms of the published schedules."""

import functools
import math

import numpy as np
import pytest
import torch
from mmengine.config import Config

from sr4ir_mm.engine import CascadeOptimWrapperConstructor
from sr4ir_mm.errors import ConfigError
from sr4ir_mm.experiments.protocol_options import PROTOCOLS
from sr4ir_mm.experiments.protocols import apply_protocol, load_protocols
from sr4ir_mm.registry import PARAM_SCHEDULERS
from tests.helpers.builders import ROOT

SR4IR = sorted(path for path in (ROOT / 'configs/sr4ir').glob('*.py') if path.stem.endswith(('_voc', '_cars', '_cub')))
EPOCH = 3  # iterations

#: which parts learn
LEARNS = dict(
    h2t={'recognizer'},
    l2t={'recognizer'},
    sr={'restorer'},
    s2t={'recognizer'},
    t2s={'restorer'},
    **{'s+t': {'restorer', 'recognizer'}},
    sr4ir={'restorer', 'recognizer'},
)
#: of each recognizer: epochs, learning rate of the recognizer, epochs of SR4IR before and after its restart
TASKS = dict(deeplabv3=(100, 2e-2, (10, 90)), resnet18=(200, 3e-2, (20, 180)), **{'faster-rcnn': (30, 2e-2, (2, 27))})


def cosine(lr, low, done, period):
    return low + (lr - low) * (1 + math.cos(math.pi * done / period)) / 2


def expected(protocol, task, part, iteration, epochs):
    """The published learning rate; a detector's begins with a ramp over the first epoch, as does its restorer's."""
    _, lr, (before, after) = TASKS[task]
    lr, low = (1e-4, 1e-6) if part == 'restorer' else (lr, 1e-4)
    if task == 'faster-rcnn':
        if iteration < EPOCH:
            return lr * (1 / EPOCH + (1 - 1 / EPOCH) * iteration / EPOCH)
        iteration -= EPOCH
    if protocol != 'sr4ir':
        return cosine(lr, low, iteration, epochs * EPOCH)
    restart = before * EPOCH  # the iteration with the minimum, which is the last before the restart
    if iteration <= restart:
        return cosine(lr, low, iteration, restart)
    return cosine(lr, low, iteration - restart, after * EPOCH)


class Networks(torch.nn.Module):
    """Parts with one weight in each module that a schedule could treat in a way of its own."""

    def __init__(self):
        super().__init__()
        modules = ('backbone', 'decode_head', 'auxiliary_head')
        self.trainable_parts = dict(
            restorer=torch.nn.Linear(1, 1),
            recognizer=torch.nn.ModuleDict({name: torch.nn.Linear(1, 1) for name in modules}),
        )


def build(cfg):
    """The optimizers and schedulers of a config: for each part that learns, one optimizer and its schedulers."""
    optimizers = CascadeOptimWrapperConstructor(cfg.optim_wrapper)(Networks())
    return {
        part: (
            optimizer,
            [
                PARAM_SCHEDULERS.build(
                    dict(scheduler, optimizer=optimizer, epoch_length=EPOCH),
                    default_args=dict(begin=0, end=cfg.train_cfg.max_epochs),
                )
                for scheduler in cfg.param_scheduler[part]
            ],
        )
        for part, optimizer in optimizers.items()
    }


@functools.cache
def learning_rates(text):
    """Return the learning rates of each part at each iteration, shape (iterations, parameter groups)."""
    cfg = Config.fromstring(text, '.py')
    found = {}
    for part, (optimizer, schedulers) in build(cfg).items():
        found[part] = []
        for _ in range(cfg.train_cfg.max_epochs * EPOCH):
            found[part].append([group['lr'] for group in optimizer.param_groups])
            optimizer.step()
            for scheduler in schedulers:
                scheduler.step()
    return {part: np.array(rates) for part, rates in found.items()}


def check(cfg, protocol, task, epochs=None):
    epochs = epochs or TASKS[task][0]
    assert cfg.train_cfg.max_epochs == epochs
    text = f'train_cfg = dict(max_epochs={epochs})\n' + ''.join(
        f'{key} = {cfg[key].to_dict()}\n' for key in ('optim_wrapper', 'param_scheduler')
    )
    found = learning_rates(text)
    assert set(found) == LEARNS[protocol]
    for part, rates in found.items():
        wanted = np.array([expected(protocol, task, part, iteration, epochs) for iteration in range(epochs * EPOCH)])
        np.testing.assert_allclose(rates.min(1), wanted, rtol=1e-9)
        if part == 'recognizer' and task == 'deeplabv3':
            # the auxiliary head has ten times the learning rate, and the same minimum
            wanted = 1e-4 + (wanted - 1e-4) * (0.2 - 1e-4) / (2e-2 - 1e-4)
        np.testing.assert_allclose(rates.max(1), wanted, rtol=1e-9)


def task_of(path):
    return next(task for task in TASKS if task in path.name)


def test_all_are_compared():
    assert len(SR4IR) == 16


@pytest.mark.parametrize('path', SR4IR, ids=lambda path: path.stem)
def test_protocols_made_from_a_config_of_sr4ir(path, with_protocol):
    for protocol in LEARNS:
        check(with_protocol(path, protocol), protocol, task_of(path))


@pytest.mark.parametrize('name', ['deeplabv3_edsr_x4_voc', 'faster-rcnn_edsr_x4_voc', 'resnet18_edsr_x4_cub'])
@pytest.mark.parametrize('protocol', ['h2t', 's+t'])
def test_the_schedule_of_a_baseline_follows_another_length(name, protocol, with_protocol):
    path = ROOT / f'configs/sr4ir/{name}.py'
    check(with_protocol(path, protocol, '--cfg-options', 'train_cfg.max_epochs=40'), protocol, task_of(path), epochs=40)


@pytest.mark.parametrize(
    'path', sorted(set((ROOT / 'configs/sr4ir').glob('*.py')) - set(SR4IR)), ids=lambda path: path.stem
)
def test_beyond_the_paper_a_baseline_does_not_restart_either(path):
    cfg = Config.fromfile(path)
    rows = load_protocols(PROTOCOLS, cfg)
    for protocol in LEARNS:
        made = apply_protocol(cfg, rows[protocol], dict(restorer='a.pth', recognizer='a.pth'))
        for part in LEARNS[protocol]:
            last = made.param_scheduler[part][-1]
            assert last.end == made.train_cfg.get('max_epochs', made.train_cfg.get('max_iters'))
            assert len(last.periods) == len(last.restart_weights) == (2 if protocol == 'sr4ir' else 1)
            # the cosine ends with the training; that of a detector's baseline would end an epoch later
            late = cfg.default_scope == 'mmdet' and protocol != 'sr4ir'
            assert last.get('begin', 0) + sum(last.periods) == last.end + late


def test_a_config_with_one_schedule_keeps_it():
    cfg = Config.fromfile(ROOT / 'configs/demo/sr4ir_fpn_edsr_x4_demo.py')
    assert apply_protocol(cfg, load_protocols(PROTOCOLS, cfg)['l2t'], {}).param_scheduler == cfg.param_scheduler


def test_another_schedule_is_refused():
    cfg = Config.fromfile(SR4IR[0])
    row = dict(load_protocols(PROTOCOLS, cfg)['h2t'], schedule='basline')
    with pytest.raises(ConfigError, match="schedule of the protocol 'H→T' is 'basline'; .* Did you mean 'baseline'"):
        apply_protocol(cfg, type(cfg.model)(row), {})
