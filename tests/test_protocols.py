"""Protocols are tables of phases, and S→T and T→S start from the weights of another run."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from sr4ir_mm.registry import MODELS

CONFIGS = Path(__file__).parents[1] / 'configs'


@pytest.fixture(autouse=True)
def scope():
    with DefaultScope.overwrite_default_scope('mmseg'):
        yield


@pytest.fixture
def small():
    """The model of the demo, built anew at each call with what a config changes in it."""

    def build(**changes):
        cfg = Config.fromfile(CONFIGS / 'demo/sr4ir_fpn_edsr_x4_demo.py')
        cfg.merge_from_dict(dict(model=changes))
        model = MODELS.build(cfg.model)
        model.init_weights()
        return model

    return build


def save(model, path, **extra):
    torch.save(dict(state_dict=model.state_dict(), meta={}, **extra), path)
    return str(path)


def equal(part, other):
    pairs = zip(part.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(value, other_value) for value, other_value in pairs)


def test_s2t_starts_from_the_restorer_of_the_sr_run(small, tmp_path):
    done = small(recognizer=None, losses={}, data_preprocessor=dict(type='mmseg.SegDataPreProcessor'))
    path = save(done, tmp_path / 'sr.pth')
    model = small(restorer=dict(init_cfg=dict(type='Pretrained', checkpoint=path, prefix='restorer')))
    assert equal(model.restorer, done.restorer)
    assert not equal(small().restorer, done.restorer)


def test_t2s_starts_from_the_recognizer_of_the_h2t_run(small, tmp_path):
    done, other = small(restorer=None, degradation=None), small(restorer=None, degradation=None)
    path = save(done, tmp_path / 'h2t.pth')
    backbone = save(other.recognizer.backbone, tmp_path / 'backbone.pth')
    model = small(
        recognizer=dict(
            init_cfg=dict(type='Pretrained', checkpoint=path, prefix='recognizer'),
            # what a config has from its base, and must not win
            backbone=dict(init_cfg=dict(type='Pretrained', checkpoint=backbone)),
        )
    )
    assert equal(model.recognizer, done.recognizer)
    model = small(recognizer=dict(backbone=dict(init_cfg=dict(type='Pretrained', checkpoint=backbone))))
    assert equal(model.recognizer.backbone, other.recognizer.backbone)


def test_the_leaf_configs_say_so():
    sr = 'work_dirs/sr_deeplabv3_edsr_x4_voc/epoch_100.pth'
    h2t = 'work_dirs/h2t_deeplabv3_voc/epoch_100.pth'
    s2t = Config.fromfile(CONFIGS / 'baselines/s2t_deeplabv3_edsr_x4_voc.py')
    assert s2t.model.restorer.init_cfg == dict(type='Pretrained', checkpoint=sr, prefix='restorer')
    t2s = Config.fromfile(CONFIGS / 'baselines/t2s_deeplabv3_edsr_x4_voc.py')
    assert t2s.model.recognizer.init_cfg == dict(type='Pretrained', checkpoint=h2t, prefix='recognizer')
    assert t2s.model.recognizer.type == 'EncoderDecoder'
    # each protocol is trained as long as SR4IR, by the same optimizers; test_baseline_schedules.py has the learning rates
    sr4ir = Config.fromfile(CONFIGS / 'sr4ir/deeplabv3_edsr_x4_voc.py')
    assert s2t.train_cfg.max_epochs == t2s.train_cfg.max_epochs == sr4ir.train_cfg.max_epochs == 100
    assert s2t.optim_wrapper.recognizer == sr4ir.optim_wrapper.recognizer
