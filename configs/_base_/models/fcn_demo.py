# A narrow ResNet-18 with stride 4 and an FCN head: small enough for a CPU.
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
            seg_pad_val=255),
        backbone=dict(
            type='ResNetV1c',
            depth=18,
            base_channels=16,
            stem_channels=16,
            strides=(1, 1, 1, 1),
            dilations=(1, 2, 4, 8),
            norm_cfg=norm_cfg),
        decode_head=dict(
            type='FCNHead',
            in_channels=128,
            channels=32,
            num_convs=1,
            concat_input=False,
            dropout_ratio=0.1,
            num_classes=11,
            norm_cfg=norm_cfg,
            align_corners=False,
            loss_decode=dict(type='CrossEntropyLoss', loss_weight=1.0)),
        train_cfg=dict(),
        test_cfg=dict(mode='whole')),
    tdp=dict(features=[-1], weights=[1.0]))
