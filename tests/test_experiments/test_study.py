"""The study of SR4IR: what its protocols train, and from what they start."""

from pathlib import Path

import pytest
from mmengine.config import Config

from sr4ir_mm.errors import ConfigError
from sr4ir_mm.experiments.protocols import apply_protocol, load_protocols
from sr4ir_mm.experiments.study import load_study
from tests.helpers.builders import ROOT

STUDY = ROOT / 'configs/_base_/study.py'


@pytest.fixture
def cfg():
    return Config.fromfile(ROOT / 'configs/study/sr4ir-pcl_resnet_edsr_x8_sign-digits.py')


@pytest.fixture
def protocols(cfg):
    return load_protocols(STUDY, cfg)


def losses(row):
    return {phase.name: set(phase.losses) for phase in row.phases}


def test_what_a_variant_leaves_out(protocols):
    sr4ir = dict(restore={'pixel', 'tdp'}, recognize={'task_sr', 'task_hr', 'task_cqmix'})
    assert losses(protocols['sr4ir']) == sr4ir
    assert losses(protocols['sr4ir-no-tdp']) == dict(sr4ir, restore={'pixel'})
    assert losses(protocols['sr4ir-no-cqmix']) == dict(sr4ir, recognize={'task_sr', 'task_hr'})
    assert losses(protocols['sr4ir-no-alternation']) == dict(joint=sr4ir['restore'] | sr4ir['recognize'])
    assert protocols['sr4ir-no-alternation'].phases[0]['update'] == ['restorer', 'recognizer']
    assert losses(protocols['sr4ir-pcl']) == dict(
        sr4ir, embed={'embedding'}, restore=sr4ir['restore'] | {'contrastive'}
    )


def test_the_control_of_the_diet(cfg, protocols):
    """Its recognizer learns what SR4IR's does, in front of it stands S→T's restorer."""
    row, sr4ir = protocols['s2t-diet'], protocols['sr4ir']
    assert [phase for phase in sr4ir.phases if phase['update'] == 'recognizer'] == row.phases
    assert row.start == protocols['s2t'].start
    made = apply_protocol(cfg, row, dict.fromkeys(row.start, 'some.pth'))
    assert made.optim_wrapper.restorer is None and made.model.restorer.init_cfg.prefix == 'restorer'


def test_a_variant_can_weigh_a_loss_otherwise(tmp_path, cfg):
    path = tmp_path / 'protocols.py'
    path.write_text("protocols = dict(x=dict(title='x', weights=dict(tdp=0.3, task_hr=2.0)))")
    own = {phase.name: phase for phase in cfg.train_cfg.phases}
    for phase in load_protocols(path, cfg)['x'].phases:
        expected = dict(own[phase.name].losses)
        if phase.name == 'restore':
            expected['tdp'] = dict(weight=0.3, begin=1)
        if phase.name == 'recognize':
            expected['task_hr'] = 2.0
        assert phase.losses == expected and phase['update'] == own[phase.name]['update']


@pytest.mark.parametrize('key, value', [('without', ['tpd']), ('weights', dict(tpd=1))])
def test_a_variant_can_only_change_what_is_there(key, value, tmp_path, cfg):
    path = tmp_path / 'protocols.py'
    path.write_text(f"protocols = dict(x=dict(title='x', {key}={value}))")
    with pytest.raises(ConfigError, match=rf"protocols\['x'\]\.{key} is 'tpd'; allowed: .*'tdp'"):
        load_protocols(path, cfg)


def test_every_protocol_starts_from_the_same_weights(cfg, protocols):
    """Each part that a protocol trains comes from the two first stages, each that it keeps from a whole training."""
    for name in Config.fromfile(STUDY).compare:
        row = protocols[name]
        made = apply_protocol(cfg, row, dict.fromkeys(row.start, 'some.pth'))
        updated = {
            part
            for phase in made.train_cfg.phases
            for part in ([phase['update']] if isinstance(phase['update'], str) else phase['update'])
        }
        for part, first, whole in (('recognizer', 'start-t', 'h2t'), ('restorer', 'start-s', 'sr')):
            # bilinear interpolation and clean images have nothing to start from
            if made.model[part] is None or made.model[part].type == 'sr4ir_mm.Interpolation':
                assert part not in row.start
                continue
            assert row.start[part] == (first if part in updated else whole), name
        assert made.train_cfg.max_epochs == cfg.train_cfg.max_epochs


def test_a_study_names_what_it_compares():
    study = load_study(STUDY, seeds=[7])
    assert [Path(path).resolve() for path in study.configs.values()] == [
        (STUDY.parent / path).resolve() for path in Config.fromfile(STUDY).configs
    ]
    assert study.seeds == [7] and study.protocols[0] == 'h2t' and study.baseline == 's2t' and study.by_task
    assert not load_study(configs=['a.py']).by_task and load_study(STUDY, configs=['a.py']).by_task
    assert load_study().configs == {} and load_study().seeds == [0] and load_study().axes == []
    with pytest.raises(ConfigError, match="--study is 'nowhere.py', which does not exist"):
        load_study('nowhere.py')
