# DeepLabV3 on torchvision's dilated MobileNetV3-Large, with an auxiliary head, as torchvision builds it.
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
            type='sr4ir_mm.TorchvisionBackbone',
            arch='mobilenet_v3_large',
            dilated=True,
            out_indices=(4, 16),
            init_cfg=dict(type='Pretrained', checkpoint='torchvision://mobilenet_v3_large'),
        ),
        decode_head=dict(
            type='sr4ir_mm.DeepLabV3Head',
            in_channels=960,
            in_index=1,
            channels=256,
            dilations=(1, 12, 24, 36),
            dropout_ratio=0.5,
            num_classes=21,
            norm_cfg=norm_cfg,
            align_corners=False,
            loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True, loss_weight=1.0),
        ),
        auxiliary_head=dict(
            type='sr4ir_mm.DeepLabV3AuxiliaryHead',
            in_channels=40,
            in_index=0,
            channels=10,
            dropout_ratio=0.1,
            num_classes=21,
            norm_cfg=norm_cfg,
            align_corners=False,
            loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True, loss_weight=0.5),
        ),
        train_cfg=dict(),
        test_cfg=dict(mode='whole'),
    ),
    # the last feature map of the backbone, before the ASPP: 960 channels
    losses=dict(tdp=dict(features=[-1], weights=[1.0])),
)
efficiency = dict(conv_bn_eval=True)
