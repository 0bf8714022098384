"""Mistakes in a config that are told before anything is built."""

from pathlib import Path

import pytest
from mmengine.config import Config, ConfigDict

from sr4ir_mm.config import check_config
from sr4ir_mm.config.arguments import arguments_of, check_arguments
from sr4ir_mm.errors import ConfigError

ROOT = Path(__file__).parents[2]
CONFIGS = sorted(path for path in (ROOT / 'configs').glob('*/*.py') if path.parent.name != '_base_')
LOADER = 'train_dataloader.dataset'

MISSPELT = [
    ('model.degredation', dict(type='sr4ir_mm.BicubicDownsample', scale=4), 'degradation'),
    ('model.restorer.num_block', 2, 'num_blocks'),
    ('model.recognizer.backbone.base_chanels', 8, 'base_channels'),
    ('model.recognizer.decode_head.loss_decode.loss_weigth', 1.0, 'loss_weight'),
    ('model.recognizer.auxilary_head', None, 'auxiliary_head'),
    ('model.losses.tdp.weigths', [1.0], 'weights'),
    ('model.losses.contrastive.temprature', 0.1, 'temperature'),
    ('efficiency.chanels_last', [], 'channels_last'),
    ('train_dataloader.batch_siz', 2, 'batch_size'),
    ('train_dataloader.sampler.shufle', True, 'shuffle'),
    (f'{LOADER}.data_prefx', dict(), 'data_prefix'),
    (f'{LOADER}.pipeline.2.cropsize', (32, 32), 'crop_size'),
    ('train_cfg.max_epoch', 2, 'max_epochs'),
    ('val_cfg.fp_16', True, 'fp16'),
    ('val_evaluator.1.boarder', 8, 'border'),
    ('optim_wrapper.restorer.optimiser', dict(type='Adam'), 'optimizer'),
    ('optim_wrapper.restorer.optimizer.weigth_decay', 0.0, 'weight_decay'),
    ('param_scheduler.restorer.0.eta_mni', 0.0, 'eta_min'),
    ('default_hooks.chekpoint', dict(type='CheckpointHook'), 'checkpoint'),
    ('default_hooks.logger.intervall', 1, 'interval'),
    ('default_hooks.sampler_sed', dict(type='DistSamplerSeedHook'), 'sampler_seed'),
    ('randomness.sed', 1, 'seed'),
    ('env_cfg.cudnn_benchmrk', True, 'cudnn_benchmark'),
    ('env_cfg.mp_cfg.opencv_num_thread', 0, 'opencv_num_threads'),
    ('auto_scale_lr.base_batchsize', 16, 'base_batch_size'),
    ('optim_wrapper.recognizer.paramwise_cfg.norm_decay_mul', 0.0, 'norm_decay_mult'),
    ('optim_wrapper.recognizer.paramwise_cfg.custom_keys.backbone.lr_mul', 0.1, 'lr_mult'),
]
WRONG = [
    ('train_cfg.max_epochs', 0, 'allowed: a whole number from 1'),
    ('train_cfg.max_epochs', 1.5, 'allowed: a whole number from 1'),
    ('train_cfg.val_interval', 0, 'allowed: a whole number from 1'),
    ('train_dataloader.batch_size', 0, 'allowed: a whole number from 1'),
    ('val_dataloader.batch_size', 'two', 'allowed: a whole number from 1'),
    ('model.restorer.mid_channels', 'many', 'allowed: a whole number'),
    ('model.recognizer.backbone.depth', 'deep', 'allowed: a whole number'),
    ('optim_wrapper.restorer.optimizer.lr', 'fast', 'allowed: a number'),
    ('optim_wrapper.recognizer.optimizer.lr', 'fast', 'allowed: a number'),
    ('optim_wrapper.recognizer.optimizer.momentum', 'much', 'allowed: a number'),
    ('param_scheduler.restorer.0.eta_min', 'max_epochs', 'allowed: a number'),
    ('model.recognizer.backbone.type', 'ResNetV1cc', "did you mean 'ResNetV1c'"),
    ('model.scale', 2.5, 'allowed: a whole number'),
    ('val_evaluator.1.border', 'wide', 'allowed: a whole number'),
    ('model.restorer.type', 'mmagic.EDSRNett', "did you mean 'mmagic.EDSRNet'"),
    (f'{LOADER}.type', 'BaseSegDatset', "did you mean 'BaseSegDataset'"),
    (f'{LOADER}.pipeline.1.type', 'LoadAnotations', "did you mean 'LoadAnnotations'"),
    ('param_scheduler.restorer.0.type', 'CosinAnnealingLR', "did you mean 'CosineAnnealingLR'"),
    ('default_hooks.logger.type', 'LogerHook', "did you mean 'LoggerHook'"),
    ('val_evaluator.0.type', 'IoUMetrik', "did you mean 'IoUMetric'"),
]


@pytest.fixture
def cfg(voc_cfg):
    voc_cfg.param_scheduler = dict(restorer=[dict(type='CosineAnnealingLR', T_max='max_epochs')])
    cfg = Config(voc_cfg)
    check_config(cfg)
    return cfg


@pytest.mark.parametrize('key, value, meant', MISSPELT, ids=[key for key, *_ in MISSPELT])
def test_a_misspelt_key_is_told_with_the_one_that_is_meant(cfg, key, value, meant):
    where, _, name = key.rpartition('.')
    node = cfg
    for step in where.split('.'):
        node = node[int(step)] if step.isdigit() else node.setdefault(step, ConfigDict())
    node.pop(meant, None)
    node[name] = value
    with pytest.raises(
        ConfigError, match=rf"^{where} has the key '{name}', which .* not take; did you mean '{meant}'\?$"
    ):
        check_config(cfg)


@pytest.mark.parametrize('key, value, message', WRONG, ids=[f'{key}={value}' for key, value, _ in WRONG])
def test_a_wrong_value_is_told_with_its_key(cfg, key, value, message):
    cfg.merge_from_dict({key: value})
    with pytest.raises(ConfigError, match=f'^{key} is {value!r}.*{message}'):
        check_config(cfg)


@pytest.mark.parametrize(
    'name, content', [('a.txt', '\n'), ('a.json', ''), ('a.json', '{"images": []}'), ('b.json', '[]')]
)
def test_an_empty_annotation_file_is_told(name, content, cfg, tmp_path):
    (tmp_path / name).write_text(content)
    cfg.merge_from_dict({f'{LOADER}.ann_file': str(tmp_path / name)})
    with pytest.raises(ConfigError, match=rf"^{LOADER}.ann_file is .*{name}' is empty.$"):
        check_config(cfg)


def test_an_annotation_file_with_an_image_is_not_empty(cfg, tmp_path):
    for name, content in {
        'a.json': '{"images": [{"id": 0}]}',
        'b.json': '[0]',
        'c.json': '{"a.jpg": 1}',
        'd.txt': '0',
    }.items():
        (tmp_path / name).write_text(content)
        cfg.merge_from_dict({f'{LOADER}.ann_file': str(tmp_path / name)})
        check_config(cfg)


@pytest.mark.parametrize(
    'key', ['env_cfg', 'train_cfg', 'optim_wrapper', 'val_dataloader', 'default_hooks', 'randomness']
)
def test_text_for_a_dict_is_told(key, cfg):
    cfg[key] = 'default'
    with pytest.raises(ConfigError, match=f'^{key} is default; allowed: a dict.$'):
        check_config(cfg)


def test_arguments_passed_on_to_bases_are_known():
    class Base:
        def __init__(self, width: int, depth=3):
            pass

    class Network(Base):
        def __init__(self, *args, scale=1, **kwargs):
            super().__init__(*args, **kwargs)

    class Open:
        def __init__(self, width, **kwargs):
            pass

    found = arguments_of(Network)
    assert (
        list(found.parameters) == ['scale', 'width', 'depth']
        and found.types == dict(width={int}, depth={float}, scale={float})
        and found.complete
    )
    assert not arguments_of(Open).complete


def test_plug_ins_and_classes_of_further_arguments(cfg):
    """A user's class in a registry is known by its own arguments; keys for ``**kwargs`` may be anything."""
    from sr4ir_mm.registry import HOOKS

    class StrangerHook:
        def __init__(self, alpha, **kwargs):
            pass

    HOOKS.register_module(module=StrangerHook)
    try:
        cfg.custom_hooks = [dict(type='sr4ir_mm.StrangerHook', alpha=1, anything=2, priority='LOW')]
        check_config(cfg)
        cfg.custom_hooks[0].alhpa = cfg.custom_hooks[0].pop('alpha')
        with pytest.raises(ConfigError, match="custom_hooks.0 has the key 'alhpa', .* did you mean 'alpha'"):
            check_config(cfg)
    finally:
        HOOKS.module_dict.pop('StrangerHook')


@pytest.mark.slow
def test_shipped_configs_pass():
    for path in CONFIGS:
        check_arguments(Config.fromfile(path))
