# A narrow ResNet-18 with feature strides 8 and 16 and an anchor-free head: small enough for a CPU.
norm_cfg = dict(type='BN')
model = dict(
    type='sr4ir_mm.CascadeDetector',
    recognizer=dict(
        _scope_='mmdet',
        type='FCOS',
        data_preprocessor=dict(
            type='DetDataPreprocessor',
            mean=[123.675, 116.28, 103.53],
            std=[58.395, 57.12, 57.375],
            bgr_to_rgb=True,
            pad_size_divisor=16),
        backbone=dict(
            type='ResNet',
            depth=18,
            base_channels=16,
            stem_channels=16,
            num_stages=3,
            strides=(1, 2, 2),
            dilations=(1, 1, 1),
            out_indices=(1, 2),
            norm_cfg=norm_cfg,
            norm_eval=False),
        neck=dict(type='FPN', in_channels=[32, 64], out_channels=32, num_outs=2, norm_cfg=norm_cfg),
        bbox_head=dict(
            type='FCOSHead',
            num_classes=10,
            in_channels=32,
            stacked_convs=2,
            feat_channels=32,
            strides=[8, 16],
            regress_ranges=((-1, 24), (24, 1e8)),
            center_sampling=True,
            norm_on_bbox=True,
            centerness_on_reg=True,
            norm_cfg=dict(type='GN', num_groups=8),
            loss_cls=dict(type='FocalLoss', use_sigmoid=True, gamma=2.0, alpha=0.25, loss_weight=1.0),
            loss_bbox=dict(type='GIoULoss', loss_weight=1.0),
            loss_centerness=dict(type='CrossEntropyLoss', use_sigmoid=True, loss_weight=1.0)),
        test_cfg=dict(nms_pre=200, score_thr=0.05, nms=dict(type='nms', iou_threshold=0.6), max_per_img=50)),
    tdp=dict(features=[0, 1], weights=[0.5, 0.5]))
