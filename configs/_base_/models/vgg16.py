# VGG-16 with mmpretrain's ImageNet weights; its fully connected layers want 224×224 pixels.
model = dict(
    type='sr4ir_mm.CascadeClassifier',
    recognizer=dict(
        _scope_='mmpretrain',
        type='ImageClassifier',
        data_preprocessor=dict(
            type='ClsDataPreprocessor', mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True
        ),
        backbone=dict(type='VGG', depth=16, num_classes=1000),
        neck=None,
        head=dict(type='ClsHead', loss=dict(type='CrossEntropyLoss', loss_weight=1.0), topk=(1, 5)),
        init_cfg=dict(
            type='Pretrained',
            checkpoint='https://download.openmmlab.com/mmclassification/v0/vgg/'
            'vgg16_batch256_imagenet_20210208-db26f1a5.pth',
        ),
    ),
)
