import numpy as np
import pytest
import torch
from mmengine.config import Config

from sr4ir_mm.registry import PARAM_SCHEDULERS
from tests.helpers.builders import ROOT

from .test_schedulers import learning_rates


def rates(lr, schedulers, epochs, epoch_length):
    """The learning rate in force at every iteration, from the schedulers as a config has them."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)
    schedulers = [
        PARAM_SCHEDULERS.build(
            dict(cfg, optimizer=optimizer, epoch_length=epoch_length), default_args=dict(begin=0, end=epochs)
        )
        for cfg in schedulers
    ]
    return learning_rates(optimizer, schedulers, epochs * epoch_length)


@pytest.mark.parametrize('part, name', [('restorer', 'det_sr'), ('recognizer', 'det_task')])
def test_the_detection_schedule_equals_the_published_one(part, name):
    golden = np.load(ROOT / 'tests/data/schedule.npz')
    cfg = Config.fromfile(ROOT / 'configs/_base_/schedules/sr4ir_det.py')
    found = rates(
        cfg.optim_wrapper[part].optimizer.lr,
        cfg.param_scheduler[part],
        cfg.train_cfg.max_epochs,
        int(golden['iters_per_epoch']),
    )
    np.testing.assert_allclose(found, golden[name], rtol=1e-9)


def test_a_ramp_begins_at_one_over_its_length():
    ramp = dict(type='sr4ir_mm.LinearRampLR', begin=0, end=1, convert_to_iter_based=True)
    for length in (4, 10):
        found = rates(1.0, [ramp], 1, length)
        start = 1 / length
        np.testing.assert_allclose(found, start + (1 - start) * np.arange(length) / length, rtol=1e-12)


def test_a_given_start_factor_is_kept():
    ramp = dict(type='sr4ir_mm.LinearRampLR', begin=0, end=1, start_factor=0.5, convert_to_iter_based=True)
    assert rates(1.0, [ramp], 1, 4).tolist() == [0.5, 0.625, 0.75, 0.875]
