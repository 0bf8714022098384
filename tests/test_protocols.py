"""Protocols are tables of phases, and S→T and T→S start from the weights of another run."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from sr4ir_mm.registry import MODELS
from tests.test_ablations import differences

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


SR_KEYS = {'model.recognizer', 'model.losses.tdp', 'model.data_preprocessor', 'val_evaluator', 'test_evaluator'}
#: what the published protocols are: who learns, from which losses, and which keys differ from SR4IR's config
PUBLISHED = dict(
    h2t=(['recognizer'], dict(task_hr=1.0), {'model.restorer', 'model.degradation', 'model.scale'}),
    l2t=(['recognizer'], dict(task_sr=1.0), {'model.restorer'}),
    sr=(['restorer'], dict(pixel=1.0), SR_KEYS),
    s2t=(['recognizer'], dict(task_sr=1.0), {'model.restorer.init_cfg'}),
    t2s=(['restorer'], dict(pixel=1.0, task_sr=1.0), {'model.recognizer.init_cfg'}),
    **{'s+t': (['restorer', 'recognizer'], dict(pixel=1.0, task_sr=1.0), set())},
)
LEAVES = sorted(path for path in (CONFIGS / 'sr4ir').glob('*.py') if path.stem.endswith(('_voc', '_cars', '_cub')))


@pytest.mark.parametrize('path', LEAVES, ids=lambda path: path.stem)
def test_a_published_protocol_differs_from_sr4ir_in_these_keys_alone(path, with_protocol, tmp_path):
    sr4ir = with_protocol(path, 'sr4ir')
    assert not differences(sr4ir.to_dict(), dict(Config.fromfile(path).to_dict(), **added(sr4ir)))
    for protocol, (learns, losses, keys) in PUBLISHED.items():
        cfg = with_protocol(path, protocol)
        (phase,) = cfg.train_cfg.phases
        assert phase.losses == losses and 'train_mode' not in phase
        assert phase['update'] == (learns if len(learns) > 1 else learns[0])
        # test_baseline_schedules.py has the learning rates
        keys = keys | {'work_dir', 'train_cfg.phases', 'param_scheduler.'}
        keys |= {f'optim_wrapper.{part}' for part in ('restorer', 'recognizer') if part not in learns}
        changed = differences(sr4ir.to_dict(), cfg.to_dict())
        assert all(key.startswith(tuple(keys)) for key in changed), changed
        for part in ('restorer', 'recognizer'):
            assert (cfg.optim_wrapper[part] is not None) == (part in learns)
    assert with_protocol(path, 'h2t').model.restorer is None
    assert with_protocol(path, 'sr').model.recognizer is None
    assert with_protocol(path, 'l2t').model.restorer == dict(
        type='sr4ir_mm.Interpolation', scale=sr4ir.model.scale, mode='bilinear', align_corners=True
    )
    for protocol, part in (('s2t', 'restorer'), ('t2s', 'recognizer')):
        init_cfg = dict(type='Pretrained', checkpoint=str(tmp_path / 'start.pth'), prefix=part)
        assert with_protocol(path, protocol).model[part].init_cfg == init_cfg


def added(cfg):
    """What reading a config for a training adds to it."""
    return dict(launcher='none', work_dir=cfg.work_dir)


@pytest.mark.parametrize('path', sorted((CONFIGS / 'sr4ir').glob('*.py')), ids=lambda path: path.stem)
def test_a_config_of_sr4ir_names_the_file_with_its_phases(path):
    method = Config.fromfile(CONFIGS / '_base_/methods/sr4ir.py').phases
    text = path.read_text()
    if path.stem.endswith('-realworld'):  # derives from another config of this folder
        text = path.with_name(path.name.replace('-realworld', '')).read_text()
    assert '../_base_/methods/sr4ir.py' in text
    phases = Config.fromfile(path).train_cfg.phases
    assert phases[0].losses.tdp.pop('begin') > 0  # the one thing that the schedule sets
    del method[0].losses.tdp.begin
    assert phases == method
