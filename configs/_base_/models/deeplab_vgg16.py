# DeepLab-LargeFOV on VGG-16 in mmseg's parts. As published: VGG-16 to conv5_3, then one dilated 3×3 convolution of 1024
# channels (fc6), whose samples are 96 pixels apart. Different: pool4 keeps its stride, so the output stride is 16, not
# 8, and the dilation of fc6 is 6, not 12; conv5 is not dilated; the 1×1 convolution fc7 and the CRF are left out.
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
            size=(321, 321),  # smaller training images are filled up
            pad_val=0,
            seg_pad_val=255,
        ),
        backbone=dict(
            type='sr4ir_mm.TorchvisionBackbone',
            arch='vgg16',
            out_indices=(29,),
            init_cfg=dict(type='Pretrained', checkpoint='torchvision://vgg16'),
        ),
        decode_head=dict(
            type='FCNHead',
            in_channels=512,
            in_index=0,
            channels=1024,
            num_convs=1,
            kernel_size=3,
            dilation=6,
            concat_input=False,
            dropout_ratio=0.5,
            num_classes=21,
            norm_cfg=None,
            align_corners=False,
            loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True, loss_weight=1.0),
        ),
        train_cfg=dict(),
        test_cfg=dict(mode='whole'),
    ),
)
