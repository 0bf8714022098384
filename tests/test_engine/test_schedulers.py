import math

import numpy as np
import pytest
import torch

from sr4ir_mm.engine import CosineRestartLR
from tests.helpers.builders import DATA


def learning_rates(optimizer, schedulers, count):
    """Those in force at each of so many iterations."""
    values = []
    for _ in range(count):
        values.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()
    return np.array(values)


def rates(lr, periods, epochs, epoch_length=5, before=(), **kwargs):
    """The learning rate in force at every iteration."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)
    schedulers = [build(optimizer) for build in before]
    schedulers.append(
        CosineRestartLR.build_iter_from_epoch(
            optimizer,
            periods=periods,
            restart_weights=[1] * len(periods),
            end=epochs,
            epoch_length=epoch_length,
            **kwargs,
        )
    )
    return learning_rates(optimizer, schedulers, epochs * epoch_length)


@pytest.mark.parametrize(
    'name, lr, periods, eta_min',
    [
        ('seg_sr', 1e-4, [10, 90], 1e-6),
        ('seg_task', 2e-2, [10, 90], 1e-4),
        ('cls_task', 3e-2, [20, 180], 1e-4),
    ],
)
def test_equals_the_published_schedule(name, lr, periods, eta_min):
    golden = np.load(DATA / 'schedule.npz')[name]
    np.testing.assert_allclose(rates(lr, periods, sum(periods), eta_min=eta_min), golden, rtol=1e-9)


def test_no_rounding_error_grows_over_a_long_schedule():
    values = rates(1e-4, [10, 90], 100, epoch_length=1000, eta_min=1e-6)
    step = 99_999 - 10_000
    assert values[-1] == pytest.approx(1e-6 + (1e-4 - 1e-6) * (1 + math.cos(math.pi * step / 90_000)) / 2, rel=1e-12)


def test_each_group_anneals_from_its_own_rate():
    groups = [dict(params=[torch.nn.Parameter(torch.zeros(1))], lr=lr) for lr in (0.02, 0.2)]
    optimizer = torch.optim.SGD(groups, lr=0.02)
    scheduler = CosineRestartLR(optimizer, periods=[4, 4], restart_weights=[1, 0.5], eta_min=0.01, by_epoch=False)
    seen = []
    for _ in range(8):
        seen.append([group['lr'] for group in optimizer.param_groups])
        optimizer.step()
        scheduler.step()
    assert seen[0] == [0.02, 0.2]
    assert seen[4] == [0.01, 0.01]
    assert seen[6] == pytest.approx([0.01 + (0.01 - 0.01) / 2, 0.01 + (0.1 - 0.01) / 2])


def test_resumes_where_it_was():
    def make():
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        return optimizer, CosineRestartLR(optimizer, periods=[3, 7], restart_weights=[1, 1], eta_min=0, by_epoch=False)

    optimizer, scheduler = make()
    for _ in range(5):
        optimizer.step()
        scheduler.step()
    other_optimizer, other = make()
    other_optimizer.load_state_dict(optimizer.state_dict())
    other.load_state_dict(scheduler.state_dict())
    for each in (optimizer, other_optimizer, scheduler, other):
        each.step()
    assert optimizer.param_groups[0]['lr'] == other_optimizer.param_groups[0]['lr']
