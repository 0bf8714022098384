"""Hooks that configs of the host libraries name work with a cascade, or a sentence refuses them before the training."""

import copy
import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.utils import get_installed_path

from sr4ir_mm.checkpoints import load_checkpoint
from sr4ir_mm.engine.hooks.host import OF_THE_RECOGNIZER, REFUSED
from sr4ir_mm.errors import ConfigError
from tests.helpers.builders import SR4IR_PHASES, edsr
from tests.helpers.training import history, run

HOSTS = ('mmdet', 'mmseg', 'mmpretrain', 'mmagic')
#: hooks that need nothing but a training: a test below trains with each
PLAIN = {
    'EMAHook': dict(),
    'LoggerHook': dict(),
    'ParamSchedulerHook': dict(),
    'IterTimerHook': dict(),
    'DistSamplerSeedHook': dict(),
    'SyncBuffersHook': dict(),
    'mmdet.SyncNormHook': dict(),
    'mmdet.CheckInvalidLossHook': dict(interval=1),
    'mmdet.NumClassCheckHook': dict(),
    'mmpretrain.ClassNumCheckHook': dict(),
    'mmpretrain.EMAHook': dict(evaluate_on_origin=True),
    'mmseg.SegVisualizationHook': dict(draw=True, interval=1),
    'mmagic.ReduceLRSchedulerHook': dict(),
}
#: hooks with a test of their own
OWN_TEST = (
    'CheckpointHook',
    'mmdet.YOLOXModeSwitchHook',
    'mmdet.PipelineSwitchHook',
    'mmdet.DetVisualizationHook',
    'mmpretrain.SwitchRecipeHook',
    'mmpretrain.WarmupParamHook',
    'mmpretrain.VisualizationHook',
)


def named_in(host):
    """The hooks that the configs of a library name."""
    found = set()
    for path in Path(get_installed_path(host), '.mim/configs').rglob('*.py'):
        found |= set(re.findall(r'type=[\'"]?(?:\w+\.)*(\w+Hook)\b', path.read_text()))
    return found


@pytest.mark.parametrize('host', HOSTS)
def test_each_hook_of_the_zoo_is_known(host):
    known = {*PLAIN, *OWN_TEST, *REFUSED, *OF_THE_RECOGNIZER}
    found = named_in(host)
    assert found
    assert not [name for name in found if name not in known and f'{host}.{name}' not in known]


@pytest.mark.parametrize('name', PLAIN)
def test_plain_hooks(voc_cfg, name):
    if name == 'mmpretrain.ClassNumCheckHook':
        voc_cfg = classification(Path(voc_cfg.work_dir).parent)
    voc_cfg.train_cfg.update(max_epochs=1, val_interval=1)
    voc_cfg.default_hooks.checkpoint = None
    voc_cfg.custom_hooks.append(dict(type=name, **PLAIN[name]))
    runner = run(voc_cfg)
    assert runner.iter == 2
    assert any(type(hook).__name__ == name.split('.')[-1] for hook in runner.hooks)


@pytest.mark.parametrize('name', REFUSED)
def test_refused_hooks(voc_cfg, name, monkeypatch):
    kind = HOOKS.get(name)
    monkeypatch.setattr(kind, '__init__', lambda self: None)  # what it is told does not matter
    voc_cfg.custom_hooks.append(dict(type=name))
    with pytest.raises(ConfigError, match=f'custom_hooks has {name.split(".")[1]}, which '):
        run(copy.deepcopy(voc_cfg))
    voc_cfg.custom_hooks[-1] = dict(type='sr4ir_mm.RecognizerHook', hook=dict(type=name))
    with pytest.raises(ConfigError, match=f'custom_hooks has {name.split(".")[1]}, which '):
        run(voc_cfg)


@pytest.mark.parametrize(
    'name, kwargs',
    [
        ('mmdet.YOLOXModeSwitchHook', dict()),
        ('mmdet.SetEpochInfoHook', dict()),
        ('mmpretrain.SetAdaptiveMarginsHook', dict()),
        ('mmpretrain.WarmupParamHook', dict(param_name='alpha', module_name='head', warmup_epochs=1)),
    ],
)
def test_hooks_of_the_recognizer(voc_cfg, name, kwargs):
    voc_cfg.custom_hooks.append(dict(type=name, **kwargs))
    with pytest.raises(ConfigError, match=re.escape(f"hook=dict(type='{name}', …))")):
        run(copy.deepcopy(voc_cfg))
    voc_cfg.custom_hooks[-1] = dict(type='sr4ir_mm.RecognizerHook', hook=dict(type=name, **kwargs))
    with pytest.raises(ConfigError, match='EncoderDecoder|the recognizer has no'):
        run(voc_cfg)


def test_averages_are_not_those_of_the_recognizer_alone(voc_cfg):
    voc_cfg.custom_hooks.append(dict(type='sr4ir_mm.RecognizerHook', hook=dict(type='mmengine.EMAHook')))
    with pytest.raises(ConfigError, match="EMAHook, which uses checkpoints.*part='recognizer'"):
        run(voc_cfg)


@HOOKS.register_module(force=True)
class Watch(Hook):
    """What a function says of the runner after each iteration."""

    seen = []
    look = None

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.seen.append(Watch.look(runner, data_batch))


@pytest.fixture
def watch(monkeypatch):
    monkeypatch.setattr(Watch, 'seen', [])

    def look(function):
        monkeypatch.setattr(Watch, 'look', staticmethod(function))
        return Watch.seen

    return look


@pytest.mark.parametrize('name', ['mmengine.EMAHook', 'mmpretrain.EMAHook'])
def test_averages_of_the_host_libraries(voc_cfg, name, watch):
    weights = watch(lambda runner, _: copy.deepcopy(runner.model.state_dict()))
    voc_cfg.custom_hooks += [dict(type=name, momentum=0.25), dict(type='Watch')]
    run(voc_cfg)
    checkpoint = load_checkpoint(f'{voc_cfg.work_dir}/epoch_2.pth')
    for key in ('restorer.conv_first.weight', 'recognizer.backbone.stem.0.weight'):
        average = weights[0][key]
        for each in weights[1:]:
            average = 0.75 * average + 0.25 * each[key]
        assert torch.allclose(checkpoint['state_dict'][key], average, atol=1e-6)
        assert torch.equal(checkpoint['ema_state_dict'][f'module.{key}'], weights[-1][key])


def test_a_wrong_number_of_classes_is_noticed(voc_cfg):
    voc_cfg.custom_hooks.append(dict(type='mmdet.NumClassCheckHook'))
    voc_cfg.train_cfg.dry_run = False  # which would notice it too
    voc_cfg.model.recognizer.decode_head.num_classes = 5
    with pytest.raises(AssertionError, match='num_classes'):
        run(voc_cfg)


# ---------- pipelines that change


def switched(cfg, grids=True):
    """The pipeline of the training with another crop."""
    pipeline = copy.deepcopy(cfg.train_dataloader.dataset.pipeline)
    pipeline[2].crop_size = (16, 16)
    return pipeline if grids else pipeline[:-1]


@pytest.mark.parametrize('resumed', [False, True])
@pytest.mark.parametrize('workers', [0, 1])
def test_a_pipeline_is_switched(voc_cfg, watch, workers, resumed):
    sizes = watch(lambda runner, batch: (runner.epoch, batch['inputs'][0].shape[-1]))
    voc_cfg.train_dataloader.update(num_workers=workers, persistent_workers=workers > 0)
    voc_cfg.train_cfg.update(max_epochs=3, val_interval=5)
    voc_cfg.custom_hooks += [
        dict(type='mmdet.PipelineSwitchHook', switch_epoch=1, switch_pipeline=switched(voc_cfg)),
        dict(type='Watch'),
    ]
    if resumed:
        voc_cfg.train_cfg.max_epochs = 2
        run(copy.deepcopy(voc_cfg))
        Watch.seen.clear()
        voc_cfg.train_cfg.max_epochs = 3
        run(voc_cfg, resume=True, load_from=f'{voc_cfg.work_dir}/epoch_2.pth')
        assert sizes == [(2, 16)] * 2
    else:
        run(voc_cfg)
        assert sizes == [(0, 32)] * 2 + [(1, 16)] * 2 + [(2, 16)] * 2


def test_a_pipeline_without_what_the_losses_need(voc_cfg):
    for hook in (
        dict(type='mmdet.PipelineSwitchHook', switch_epoch=1, switch_pipeline=switched(voc_cfg, grids=False)),
        dict(
            type='mmpretrain.SwitchRecipeHook',
            schedule=[dict(action_epoch=2, train_pipeline=switched(voc_cfg, grids=False))],
        ),
    ):
        voc_cfg.custom_hooks = [hook]
        with pytest.raises(
            ConfigError, match="pipeline without sr4ir_mm.CQMix.*append dict\\(type='sr4ir_mm.CQMix'\\)"
        ):
            run(copy.deepcopy(voc_cfg))


# ---------- classification


def classification(folder):
    """Two iterations an epoch of a small classifier."""
    rng = np.random.RandomState(0)
    for label in 'abcd':
        (folder / 'images' / label).mkdir(parents=True)
        cv2.imwrite(str(folder / f'images/{label}/0.png'), rng.randint(0, 256, (32, 32, 3), np.uint8))
    pipeline = [dict(type='sr4ir_mm.LoadImage'), dict(type='PackInputs'), dict(type='sr4ir_mm.CQMix')]
    loader = dict(
        batch_size=2,
        num_workers=0,
        sampler=dict(type='DefaultSampler', shuffle=True),
        dataset=dict(type='CustomDataset', data_root=str(folder / 'images'), pipeline=pipeline),
    )
    val = copy.deepcopy(loader)
    val['sampler']['shuffle'] = False
    return ConfigDict(
        default_scope='mmpretrain',
        work_dir=str(folder / 'cls'),
        model=dict(
            type='sr4ir_mm.CascadeClassifier',
            scale=4,
            degradation=dict(type='sr4ir_mm.BicubicDownsample', scale=4),
            restorer=edsr(),
            recognizer=dict(
                type='ImageClassifier',
                data_preprocessor=dict(mean=[120.0] * 3, std=[60.0] * 3, to_rgb=True, num_classes=4),
                backbone=dict(type='ResNet', depth=18, base_channels=8, stem_channels=8),
                neck=dict(type='GlobalAveragePooling'),
                head=dict(type='LinearClsHead', in_channels=64, num_classes=4),
            ),
            losses=dict(tdp=dict(features=[-1], weights=[1.0])),
        ),
        train_dataloader=loader,
        val_dataloader=val,
        val_evaluator=[dict(type='Accuracy')],
        train_cfg=dict(type='sr4ir_mm.AlternatingTrainLoop', max_epochs=2, val_interval=2, phases=SR4IR_PHASES),
        val_cfg=dict(type='ValLoop'),
        optim_wrapper=dict(
            constructor='sr4ir_mm.CascadeOptimWrapperConstructor',
            restorer=dict(optimizer=dict(type='SGD', lr=1e-4)),
            recognizer=dict(optimizer=dict(type='SGD', lr=1e-4)),
        ),
        visualizer=dict(type='UniversalVisualizer', vis_backends=[dict(type='LocalVisBackend')]),
        custom_hooks=[],
        default_hooks=dict(runtime_info=dict(type='sr4ir_mm.DeferredLossHook'), checkpoint=None),
        randomness=dict(seed=0),
        log_level='ERROR',
    )


def test_recipes_are_switched(tmp_path, watch):
    seen = watch(
        lambda runner, _: (
            runner.epoch,
            type(runner.model.data_preprocessor.host.batch_augments).__name__,
            runner.model.recognizer.head.loss_module.loss_weight,
        )
    )
    cfg = classification(tmp_path)
    augments = dict(
        type='mmpretrain.SwitchRecipeHook',
        schedule=[dict(action_epoch=2, batch_augments=dict(augments=[dict(type='Mixup', alpha=0.8)]))],
    )
    loss = dict(
        type='mmpretrain.SwitchRecipeHook',
        schedule=[dict(action_epoch=2, loss=dict(type='CrossEntropyLoss', loss_weight=3.0))],
    )
    mixed = copy.deepcopy(cfg)
    mixed.custom_hooks = [augments, dict(type='sr4ir_mm.RecognizerHook', hook=loss), dict(type='Watch')]
    run(mixed)
    assert seen == [(0, 'NoneType', 1.0)] * 2 + [(1, 'RandomBatchAugment', 3.0)] * 2
    for hook, sentence in [
        (loss, 'changes the loss of the recognizer'),
        (dict(type='sr4ir_mm.RecognizerHook', hook=augments), 'write this recipe without sr4ir_mm.RecognizerHook'),
        (
            dict(type='mmpretrain.SwitchRecipeHook', schedule=[dict(action_epoch=2, pipeline=[])]),
            "has 'pipeline' in the recipe of epoch 2, which it does not read; allowed: action_epoch, train_pipeline, ",
        ),
    ]:
        other = copy.deepcopy(cfg)
        other.custom_hooks = [hook]
        with pytest.raises(ConfigError, match=sentence):
            run(other)


def test_a_parameter_of_the_recognizer_is_warmed_up(tmp_path, watch):
    seen = watch(lambda runner, _: runner.model.recognizer.head.loss_module.loss_weight)
    cfg = classification(tmp_path)
    cfg.custom_hooks = [
        dict(type='Watch'),
        dict(
            type='sr4ir_mm.RecognizerHook',
            hook=dict(
                type='mmpretrain.WarmupParamHook',
                param_name='loss_weight',
                module_name='head.loss_module',
                warmup_epochs=2,
            ),
        ),
    ]
    run(cfg)
    assert seen == [0, 0.25, 0.5, 0.75]


def test_pictures_of_classification(tmp_path):
    cfg = classification(tmp_path)
    cfg.default_hooks.visualization = dict(type='mmpretrain.VisualizationHook', enable=True, interval=1)
    run(cfg)
    assert len(list(tmp_path.glob('cls/*/vis_data/vis_image/*.png'))) == 1  # each is called 0.png


# ---------- detection


def yolox(folder, hooks):
    """Two epochs of two iterations of the smallest YOLOX."""
    from tests.test_models.test_plug_in import shipped

    (folder / 'images').mkdir()
    coco = dict(images=[], annotations=[], categories=[dict(id=1, name='square')])
    for index in range(4):
        image = np.full((64, 64, 3), 40 * index, np.uint8)
        image[10:40, 20:50] = 255
        cv2.imwrite(str(folder / f'images/{index}.png'), image)
        coco['images'].append(dict(id=index, file_name=f'{index}.png', height=64, width=64))
        coco['annotations'].append(
            dict(id=index, image_id=index, category_id=1, bbox=[20, 10, 30, 30], area=900, iscrowd=0)
        )
    (folder / 'coco.json').write_text(json.dumps(coco))
    data = dict(
        type='CocoDataset',
        data_root=str(folder),
        metainfo=dict(classes=('square',)),
        ann_file='coco.json',
        data_prefix=dict(img='images/'),
    )
    load = [dict(type='sr4ir_mm.LoadImage'), dict(type='LoadAnnotations', with_bbox=True)]
    mosaic = [dict(type='Mosaic', img_scale=(16, 16)), dict(type='PackDetInputs'), dict(type='sr4ir_mm.CQMix')]
    test = [*load, dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape'))]
    model = dict(
        type='sr4ir_mm.CascadeDetector',
        scale=4,
        degradation=dict(type='sr4ir_mm.BicubicDownsample', scale=4),
        restorer=edsr(),
        losses=dict(tdp=dict(features=[-1], weights=[1.0])),
        recognizer=shipped(
            'mmdet::yolox/yolox_tiny_8xb8-300e_coco.py',
            bbox_head__num_classes=1,
            data_preprocessor__batch_augments=None,
            backbone__widen_factor=0.125,
            neck__in_channels=[32, 64, 128],
            neck__out_channels=32,
            bbox_head__in_channels=32,
            bbox_head__feat_channels=32,
        ),
    )
    cfg = classification(folder / 'cls')
    cfg.model = ConfigDict(model)
    cfg.update(
        default_scope='mmdet',
        work_dir=str(folder / 'work'),
        val_evaluator=[dict(type='CocoMetric', ann_file=str(folder / 'coco.json'))],
        visualizer=dict(type='DetLocalVisualizer', vis_backends=[dict(type='LocalVisBackend')]),
        custom_hooks=hooks,
    )
    cfg.train_dataloader.dataset = ConfigDict(
        type='MultiImageMixDataset', dataset=dict(data, pipeline=load), pipeline=mosaic
    )
    cfg.val_dataloader.dataset = ConfigDict(data, test_mode=True, pipeline=test)
    return cfg


def test_the_mode_of_yolox_is_switched(tmp_path, watch):
    """In the last epoch: no mosaics, but the L1 loss; pictures of what is found are drawn."""
    seen = watch(
        lambda runner, batch: (runner.epoch, runner.model.recognizer.bbox_head.use_l1, batch['inputs'][0].shape[-1])
    )
    hook = dict(type='mmdet.YOLOXModeSwitchHook', num_last_epochs=1, skip_type_keys=('Mosaic',), priority=48)
    pictures = dict(type='mmdet.DetVisualizationHook', draw=True, interval=1)
    cfg = yolox(tmp_path, [dict(type='sr4ir_mm.RecognizerHook', hook=hook), dict(type='Watch'), pictures])
    cfg.train_cfg.max_epochs = 3
    bare = copy.deepcopy(cfg)
    runner = run(cfg)
    # as mmdet counts: from the epoch before the last ones
    assert seen == [(0, False, 32)] * 2 + [(1, True, 64)] * 2 + [(2, True, 64)] * 2
    assert next(each for each in runner.hooks if hasattr(each, 'hook')).priority == 48
    assert len(history(runner, 'loss_task_sr')) == 6
    assert len(list(tmp_path.glob('work/*/vis_data/vis_image/*.png'))) > 0
    bare.custom_hooks = [dict(type='sr4ir_mm.RecognizerHook', hook=hook)]
    bare.train_dataloader.dataset = bare.train_dataloader.dataset.dataset
    with pytest.raises(ConfigError, match='wrap it in dict\\(type=.MultiImageMixDataset'):
        run(bare)
