"""The config of the trainings that are killed, stopped and resumed."""

import copy

import pytest
from mmengine.config import Config


@pytest.fixture
def config(voc_cfg, tmp_path, bfloat16):
    def write(kind, amp=None, length=1):
        cfg = copy.deepcopy(voc_cfg)
        kind(cfg)
        for key in ('max_epochs', 'max_iters'):
            if key in cfg.train_cfg:
                cfg.train_cfg[key] *= length
        cfg.optim_wrapper.amp = amp
        cfg.train_cfg.val_interval = 2
        cfg.default_hooks.checkpoint.update(interval=1, max_keep_ckpts=2)
        cfg.param_scheduler = dict(
            restorer=[dict(type='CosineAnnealingLR', T_max=8, by_epoch=False)], recognizer=[dict(type='ConstantLR')]
        )
        path = tmp_path / 'killed.py'
        Config(cfg).dump(str(path))
        return str(path)

    return write
