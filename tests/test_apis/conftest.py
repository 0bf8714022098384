import pytest
import torch
from mmengine.config import ConfigDict

from sr4ir_mm.apis import CascadeInferencer
from sr4ir_mm.registry import MODELS
from tests.conftest import NUM_CLASSES, cascade_cfg


def classifier():
    return dict(
        type='ImageClassifier',
        data_preprocessor=dict(
            num_classes=NUM_CLASSES, mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True
        ),
        backbone=dict(type='ResNet', depth=18, base_channels=8, stem_channels=8, out_indices=(3,)),
        neck=dict(type='GlobalAveragePooling'),
        head=dict(type='LinearClsHead', num_classes=NUM_CLASSES, in_channels=64, topk=(1,)),
    )


def detector():
    return dict(
        type='FCOS',
        data_preprocessor=dict(
            type='DetDataPreprocessor',
            mean=[123.675, 116.28, 103.53],
            std=[58.395, 57.12, 57.375],
            bgr_to_rgb=True,
            pad_size_divisor=32,
        ),
        backbone=dict(type='ResNet', depth=18, base_channels=8, stem_channels=8),
        neck=dict(
            type='FPN',
            in_channels=[8, 16, 32, 64],
            out_channels=8,
            start_level=1,
            add_extra_convs='on_output',
            num_outs=5,
        ),
        bbox_head=dict(
            type='FCOSHead', num_classes=NUM_CLASSES, in_channels=8, stacked_convs=1, feat_channels=8, norm_cfg=None
        ),
        test_cfg=dict(
            nms_pre=100, min_bbox_size=0, score_thr=0.0, nms=dict(type='nms', iou_threshold=0.6), max_per_img=5
        ),
    )


def config(task='segmentation', **kwargs):
    """A config with nothing but the model and the names of its classes."""
    parts = dict(
        segmentation=lambda: ('mmseg', {}),
        detection=lambda: ('mmdet', dict(type='sr4ir_mm.CascadeDetector', recognizer=detector())),
        classification=lambda: ('mmpretrain', dict(type='sr4ir_mm.CascadeClassifier', recognizer=classifier())),
    )
    scope, overrides = parts[task]()
    visualizer = dict(mmseg='SegLocalVisualizer', mmdet='DetLocalVisualizer', mmpretrain='UniversalVisualizer')[scope]
    metainfo = dict(classes=tuple('abcd'), palette=[[0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255]])
    return ConfigDict(
        default_scope=scope,
        model=cascade_cfg(**{**overrides, **kwargs}),
        visualizer=dict(type=visualizer),
        test_dataloader=dict(dataset=dict(metainfo=metainfo)),
    )


def save_checkpoint(cfg, path):
    """A checkpoint with random weights."""
    from mmengine.registry import init_default_scope

    init_default_scope(cfg.default_scope)
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    model.init_weights()
    torch.save(dict(state_dict=model.state_dict(), meta={}), path)
    return str(path)


@pytest.fixture(scope='session')
def checkpoints(tmp_path_factory):
    folder = tmp_path_factory.mktemp('checkpoints')
    made = {}

    def get(task):
        if task not in made:
            made[task] = save_checkpoint(config(task), folder / f'{task}.pth')
        return made[task]

    return get


@pytest.fixture
def inferencer(checkpoints):
    def make(task='segmentation', **kwargs):
        return CascadeInferencer(config(task), checkpoints(task), device='cpu', show_progress=False, **kwargs)

    return make
