"""Weights that were trained with the first edition, and its configs."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from sr4ir_mm.checkpoints import load_checkpoint
from sr4ir_mm.config.first_edition import check_first_edition
from sr4ir_mm.errors import ConfigError
from sr4ir_mm.registry import MODELS
from tests.conftest import cascade_cfg, edsr, segmentor

#: a checkpoint of version 0.1.0 (EDSR, a ResNet with two channels, PCL-SR's embedding), and what it made of an image
FILE = Path(__file__).parents[1] / 'data/first_edition.pth'


def test_a_checkpoint_loads_and_predicts_the_same():
    recognizer = segmentor()
    recognizer['backbone'].update(base_channels=2, stem_channels=2)
    recognizer['decode_head'].update(in_channels=16, channels=4)
    embedding = dict(type='sr4ir_mm.FrequencyEmbedding', base_channels=2)
    model = MODELS.build(
        cascade_cfg(recognizer=recognizer, restorer=dict(edsr(), mid_channels=4), parts=dict(embedding=embedding))
    ).eval()
    checkpoint = load_checkpoint(FILE)
    assert list(checkpoint['state_dict']) == list(model.state_dict())
    model.load_state_dict(checkpoint['state_dict'])
    with torch.no_grad():
        sr = model.restoration(model.degradation(checkpoint['image']))
        logits = model.recognizer(model.recognizer_input(sr, [(32, 32)]), mode='tensor')
    torch.testing.assert_close(sr, checkpoint['sr'], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(logits, checkpoint['logits'], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    'key, value, instead',
    [
        ('model.tdp', dict(features=[-1]), r'model\.tdp is from an earlier edition; write model\.losses\.tdp instead'),
        ('model.img_range', 255, r'model\.restorer\.value_range'),
        ('model.restorer_with_cp', True, r"efficiency\.activation_checkpointing=\['restorer'\]"),
        ('model.embedding', dict(), r'model\.parts\.embedding'),
        ('default_hooks.checkpoint.type', 'sr4ir_mm.CheckpointHook', r"write 'sr4ir_mm\.ResumableCheckpointHook'"),
        ('val_evaluator', [dict(type='sr4ir_mm.IoUMetric')], r'val_evaluator\[0\]\.type is .*PerClassIoUMetric'),
    ],
)
def test_a_config_is_told_what_to_write(key, value, instead):
    cfg = Config(dict(model=cascade_cfg(), default_hooks=dict(checkpoint=dict(type='x'))))
    check_first_edition(cfg)
    cfg.merge_from_dict({key: value})
    with pytest.raises(ConfigError, match=instead):
        check_first_edition(cfg)
