import copy

import pytest
import torch
from mmengine.runner import Runner


def test_channels_last_trains_to_the_same_losses(voc_cfg):
    losses = []
    for hooks in ([], [dict(type='sr4ir_mm.ChannelsLastHook')]):
        cfg = copy.deepcopy(voc_cfg)
        cfg.update(experiment_name=f'test_{id(cfg)}', custom_hooks=hooks, default_hooks=dict(checkpoint=None))
        cfg.update(val_cfg=None, val_dataloader=None, val_evaluator=None)
        runner = Runner.from_cfg(cfg)
        runner.train()
        losses.append(runner.message_hub.get_scalar('train/loss').data[0].tolist())
        weight = runner.model.restorer.conv_first.weight
        assert weight.is_contiguous(memory_format=torch.channels_last) == bool(hooks)
    assert len(losses[0]) == 4 and losses[1] == pytest.approx(losses[0], rel=1e-3)
