# ResNet-18 with ImageNet weights. The number of classes comes with the data set.
model = dict(
    type='sr4ir_mm.CascadeClassifier',
    recognizer=dict(
        _scope_='mmpretrain',
        type='ImageClassifier',
        data_preprocessor=dict(
            type='ClsDataPreprocessor', mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True
        ),
        backbone=dict(
            type='ResNet',
            depth=18,
            out_indices=(2, 3),  # the head takes the last one
            init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet18'),
        ),
        neck=dict(type='GlobalAveragePooling'),
        head=dict(
            type='LinearClsHead',
            in_channels=512,
            num_classes=1000,
            init_cfg=None,  # PyTorch's own initialization, as torchvision has it
            loss=dict(type='CrossEntropyLoss', loss_weight=1.0),
        ),
    ),
    # layer 4, before the pooling: 512 channels
    losses=dict(tdp=dict(features=[-1], weights=[1.0])),
)
efficiency = dict(conv_bn_eval=True)
