# Semantic FPN on a narrow ResNet-18: small enough for a CPU.
norm_cfg = dict(type='BN')
model = dict(
    type='sr4ir_mm.CascadeSegmentor',
    recognizer=dict(
        _scope_='mmseg',
        type='EncoderDecoder',
        data_preprocessor=dict(
            type='SegDataPreProcessor',
            mean=[123.675, 116.28, 103.53],
            std=[58.395, 57.12, 57.375],
            bgr_to_rgb=True,
            size_divisor=1,
            pad_val=0,
            seg_pad_val=255,
        ),
        backbone=dict(
            type='ResNetV1c', depth=18, base_channels=16, stem_channels=16, norm_cfg=norm_cfg, zero_init_residual=False
        ),
        neck=dict(type='FPN', in_channels=[16, 32, 64, 128], out_channels=32, num_outs=4),
        decode_head=dict(
            type='FPNHead',
            in_channels=[32, 32, 32, 32],
            in_index=[0, 1, 2, 3],
            feature_strides=[4, 8, 16, 32],
            channels=32,
            dropout_ratio=0.0,
            num_classes=11,
            norm_cfg=norm_cfg,
            align_corners=False,
            # mmseg's 0.01 holds back so short a training
            init_cfg=dict(type='Normal', std=0.1, override=dict(name='conv_seg')),
            # nine pixels in ten are background
            loss_decode=dict(type='CrossEntropyLoss', class_weight=[0.3] + [1.0] * 10),
        ),
        train_cfg=dict(),
        test_cfg=dict(mode='whole'),
    ),
    losses=dict(tdp=dict(features=[0], weights=[1.0])),
)
