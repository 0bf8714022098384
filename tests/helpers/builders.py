"""Configs of tiny networks, batches and checkpoints that the tests share."""

import copy
from pathlib import Path

import numpy as np
import torch
from mmengine.config import ConfigDict
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData

from sr4ir_mm.registry import MODELS

ROOT = Path(__file__).parents[2]
DATA = ROOT / 'tests/data'
NUM_CLASSES = 4


def edsr(scale=4, **kwargs):
    return dict(
        type='mmagic.EDSRNet',
        in_channels=3,
        out_channels=3,
        mid_channels=8,
        num_blocks=1,
        upscale_factor=scale,
        **kwargs,
    )


SWINIR = dict(
    type='sr4ir_mm.SwinIR',
    upscale=4,
    in_chans=3,
    img_size=8,
    window_size=4,
    depths=[2, 2],
    embed_dim=8,
    num_heads=[2, 2],
    mlp_ratio=2,
    upsampler='pixelshuffledirect',
    resi_connection='1conv',
)


def segmentor(norm='BN', **backbone):
    """A ResNet-18 with one channel in eight and an FCN head, as it would stand in a config of mmseg."""
    norm_cfg = dict(type=norm) if norm == 'BN' else dict(type='GN', num_groups=2)
    return dict(
        type='EncoderDecoder',
        data_preprocessor=dict(
            type='SegDataPreProcessor',
            mean=[123.675, 116.28, 103.53],
            std=[58.395, 57.12, 57.375],
            bgr_to_rgb=True,
            size_divisor=1,
            seg_pad_val=255,
        ),
        backbone=dict(
            type='ResNetV1c',
            depth=18,
            base_channels=8,
            stem_channels=8,
            strides=(1, 2, 1, 1),
            norm_cfg=norm_cfg,
            zero_init_residual=False,  # or the first gradient of most weights is zero
            **backbone,
        ),
        decode_head=dict(
            type='FCNHead',
            in_channels=64,
            channels=8,
            num_convs=1,
            concat_input=False,
            dropout_ratio=0.0,
            num_classes=NUM_CLASSES,
            norm_cfg=norm_cfg,
            align_corners=False,
            loss_decode=dict(type='CrossEntropyLoss'),
        ),
        train_cfg=dict(),
        test_cfg=dict(mode='whole'),
    )


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


def cascade_cfg(**kwargs):
    cfg = dict(
        type='sr4ir_mm.CascadeSegmentor',
        scale=4,
        degradation=dict(type='sr4ir_mm.BicubicDownsample', scale=4),
        restorer=edsr(),
        recognizer=segmentor(),
        losses=dict(tdp=dict(features=[-1], weights=[1.0])),
    )
    cfg.update(kwargs)
    return ConfigDict(copy.deepcopy(cfg))


SR4IR_PHASES = [
    dict(name='restore', update='restorer', losses=dict(pixel=1.0, tdp=dict(weight=1.0, begin=1))),
    dict(name='recognize', update='recognizer', losses=dict(task_sr=0.34, task_hr=0.34, task_cqmix=0.34)),
]


OPTIM_WRAPPER = dict(
    constructor='sr4ir_mm.CascadeOptimWrapperConstructor',
    restorer=dict(optimizer=dict(type='AdamW', lr=1e-4, weight_decay=0)),
    recognizer=dict(optimizer=dict(type='SGD', lr=1e-2, momentum=0.9, weight_decay=1e-4)),
)


def seg_batch(size=(32, 32), batch=2, seed=0):
    """What a dataloader of mmseg collates, with the grids of CQMix."""
    from mmseg.structures import SegDataSample

    rng = np.random.RandomState(seed)
    samples = []
    for index in range(batch):
        sample = SegDataSample(metainfo=dict(img_path=f'{index}.jpg', img_shape=size, ori_shape=size))
        labels = rng.randint(0, NUM_CLASSES, (1, *size))
        labels[0, 0, 0] = 255
        sample.gt_sem_seg = PixelData(data=torch.from_numpy(labels))
        samples.append(sample)
    return dict(
        inputs=[torch.from_numpy(rng.randint(0, 256, (3, *size), dtype=np.uint8)) for _ in range(batch)],
        data_samples=samples,
        cqmix_grid=[torch.from_numpy(rng.randint(0, 2, (8, 8)).astype(np.float32)) for _ in range(batch)],
    )


def inference_cfg(task='segmentation', **kwargs):
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
    init_default_scope(cfg.default_scope)
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    model.init_weights()
    torch.save(dict(state_dict=model.state_dict(), meta={}), path)
    return str(path)
