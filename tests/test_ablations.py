"""The ablations of SR4IR: what each row changes in every config of the method, and nothing else."""

import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.registry import DefaultScope

from sr4ir_mm.errors import ConfigError
from sr4ir_mm.experiments.protocols import apply_protocol, load_protocols
from sr4ir_mm.models.batch import Batch
from sr4ir_mm.registry import MODELS
from tests.helpers.builders import ROOT
from tests.test_configs import reduced

ABLATIONS = ROOT / 'configs/_base_/ablations.py'
SR4IR = sorted((ROOT / 'configs/sr4ir').glob('*.py'))
CASES = {
    'sr4ir-no-tdp': {'restore': {'pixel'}},
    'sr4ir-no-cqmix': {'recognize': {'task_sr', 'task_hr'}},
    'sr4ir-cqmix-2x2': ('grid_size', 2),
    'sr4ir-cqmix-16x16': ('grid_size', 16),
    'sr4ir-cqmix-p25': ('prob', 0.25),
    'sr4ir-cqmix-p75': ('prob', 0.75),
}


def make(cfg, name):
    return apply_protocol(cfg, load_protocols(ABLATIONS, cfg)[name], {})


def differences(old, new, key=''):
    """The keys, as paths with dots, at which two configs differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        return {
            found
            for name in {**old, **new}
            for found in differences(old.get(name), new.get(name), f'{key}.{name}'.lstrip('.'))
        }
    if isinstance(old, (list, tuple)) and isinstance(new, (list, tuple)) and len(old) == len(new):
        return {found for index, pair in enumerate(zip(old, new)) for found in differences(*pair, f'{key}.{index}')}
    return set() if old == new else {key}


@pytest.mark.parametrize('path', SR4IR, ids=lambda path: path.stem)
def test_an_ablation_changes_one_thing(path):
    cfg = Config.fromfile(path)
    sr4ir = make(cfg, 'sr4ir')
    losses = {phase.name: set(phase.losses) for phase in sr4ir.train_cfg.phases}
    assert losses == dict(restore={'pixel', 'tdp'}, recognize={'task_sr', 'task_hr', 'task_cqmix'})
    cqmix = [step.type for step in sr4ir.train_dataloader.dataset.pipeline].index('sr4ir_mm.CQMix')
    for name, expected in CASES.items():
        made = make(cfg, name)
        changed = differences(sr4ir.to_dict(), made.to_dict())
        if isinstance(expected, dict):
            assert {phase.name: set(phase.losses) for phase in made.train_cfg.phases} == dict(losses, **expected)
            assert all(key.startswith('train_cfg.phases.') for key in changed)
        else:
            key, value = expected
            assert changed == {f'train_dataloader.dataset.pipeline.{cqmix}.{key}'}
            assert made.train_dataloader.dataset.pipeline[cqmix][key] == value
    made = make(cfg, 'sr4ir-no-alternation')
    assert differences(sr4ir.to_dict(), made.to_dict()) == {'train_cfg.phases'}
    (phase,) = made.train_cfg.phases
    assert phase['update'] == ['restorer', 'recognizer'] and set(phase.losses) == set.union(*losses.values())


@pytest.mark.parametrize(
    'name, channels',
    [
        ('deeplabv3_edsr_x4_voc', (960, 40)),
        ('resnet18_edsr_x4_cub', (512, 256)),
        ('resnet50_edsr_x4_imagenet', (2048, 1024)),
    ],
)
def test_the_place_of_the_tdp_loss(name, channels, tmp_path):
    """The published map and that of the ablation, by their channels."""
    cfg = Config.fromfile(ROOT / f'configs/sr4ir/{name}.py')
    for row, expected in zip(('sr4ir', 'sr4ir-tdp-first'), channels):
        made = reduced(make(cfg, row), tmp_path)
        with DefaultScope.overwrite_default_scope(made.default_scope), torch.no_grad():
            model = MODELS.build(made.model).eval()
            hr = torch.rand(1, 3, 64, 64)
            batch = Batch(model, hr, [(64, 64)], None)
            maps = model.losses.tdp.select(model.task.extract_features(hr, batch))
        assert [each.shape[1] for each in maps] == [expected]


def test_the_place_of_the_tdp_loss_in_detection():
    cfg = Config.fromfile(ROOT / 'configs/sr4ir/faster-rcnn_edsr_x4_voc.py')
    assert cfg.model.losses.tdp == dict(features=[0, 1], weights=[0.5, 0.5])
    assert make(cfg, 'sr4ir-tdp-first').model.losses.tdp == dict(features=[0], weights=[1.0])


@pytest.mark.parametrize(
    'key, message',
    [
        ('model.losses.tpd.features', "a step of 'model.losses.tpd.features' is 'tpd'; allowed: .*Did you mean 'tdp'"),
        ('train_dataloader.dataset.pipeline.CQmix.prob', "is 'CQmix'; allowed: '0', .*Did you mean 'CQMix'"),
        ('train_dataloader.dataset.pipeline.9.prob', "is '9'; allowed: '0'"),
        ('model.scale.x', "'model.scale.x' has nowhere to go; 'model.scale' is 4, which has no keys"),
    ],
)
def test_a_setting_that_is_not_there_is_refused(key, message):
    cfg = Config.fromfile(ROOT / 'configs/sr4ir/resnet18_edsr_x4_cub.py')
    row = ConfigDict(title='x', phases=cfg.train_cfg.phases, cfg_options={key: 1})
    with pytest.raises(ConfigError, match=f"cfg_options of the protocol 'x': .*{message}"):
        apply_protocol(cfg, row, {})
