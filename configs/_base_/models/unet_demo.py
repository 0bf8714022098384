# A narrow U-Net of half the resolution: small enough for a CPU.
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
            type='UNet',
            base_channels=12,
            num_stages=4,
            strides=(2, 1, 1, 1),
            enc_num_convs=(2, 2, 2, 2),
            dec_num_convs=(1, 1, 1),
            downsamples=(True, True, True),
            enc_dilations=(1, 1, 1, 1),
            dec_dilations=(1, 1, 1),
            norm_cfg=norm_cfg),
        decode_head=dict(
            type='FCNHead',
            in_channels=12,
            in_index=3,
            channels=24,
            num_convs=1,
            concat_input=False,
            dropout_ratio=0.,
            num_classes=11,
            norm_cfg=norm_cfg,
            align_corners=False,
            # nine pixels in ten are background
            loss_decode=dict(type='CrossEntropyLoss', class_weight=[0.3] + [1.0] * 10)),
        train_cfg=dict(),
        test_cfg=dict(mode='whole')),
    tdp=dict(features=[-1], weights=[1.0]))
