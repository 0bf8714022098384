"""Mistakes that only the class itself knows."""

import pytest
from mmengine.config import Config

from sr4ir_mm.config import name_what_is_built
from sr4ir_mm.errors import ConfigError

WRONG = [
    (
        'model.recognizer.backbone.depth',
        19,
        r'\(ResNetV1c\) .*depth=19, .*KeyError: .invalid depth 19 .*resnet.py, line',
    ),
    ('model.restorer.upscale_factor', 7, r'\(mmagic.EDSRNet\) .*upscale_factor=7.*ValueError'),
    ('optim_wrapper.restorer.optimizer.lr', -1.0, r'\(AdamW\) .*lr=-1.0, .*Invalid learning rate'),
    ('param_scheduler.restorer.0.end', 0, r'\(CosineAnnealingLR\) .*end=0.*end should be larger than begin'),
]


@pytest.mark.parametrize('key, value, message', WRONG, ids=[key for key, *_ in WRONG])
def test_the_error_of_a_constructor_is_told_with_its_key(key, value, message, voc_cfg, tmp_path, tool):
    cosine = [dict(type='CosineAnnealingLR', T_max=2)]
    voc_cfg.param_scheduler = dict(restorer=cosine, recognizer=cosine)
    voc_cfg = Config(voc_cfg)
    voc_cfg.merge_from_dict({key: value})
    voc_cfg.dump(str(tmp_path / 'wrong.py'))
    with pytest.raises(ConfigError, match=f'^{key.rpartition(".")[0]} {message}') as caught:
        tool('train').main([str(tmp_path / 'wrong.py')])
    assert caught.value.__cause__ is not None and '\n' not in str(caught.value)


def test_other_errors_stay_as_they_are():
    with pytest.raises(KeyError, match='mine'), name_what_is_built({}):
        raise KeyError('mine')


def test_what_an_iteration_builds_is_not_the_configs():
    from mmengine.registry import Registry

    registry = Registry('things')

    @registry.register_module()
    def thing():
        raise ValueError('no')

    def run_iter():
        registry.build(dict(type='thing'))

    message = r'^model \(thing\) cannot be built from its settings: ValueError: no '
    with pytest.raises(ConfigError, match=message), name_what_is_built(dict(model=dict(type='thing'))):
        registry.build(dict(type='thing'))
    with pytest.raises(ValueError, match='^no$'), name_what_is_built({}):
        run_iter()
