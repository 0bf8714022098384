# A narrow ResNet-18: small enough for a CPU.
model = dict(
    type='sr4ir_mm.CascadeClassifier',
    recognizer=dict(
        _scope_='mmpretrain',
        type='ImageClassifier',
        data_preprocessor=dict(
            type='ClsDataPreprocessor', mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True
        ),
        backbone=dict(type='ResNet', depth=18, base_channels=16, stem_channels=16),
        neck=dict(type='GlobalAveragePooling'),
        head=dict(
            type='LinearClsHead', in_channels=128, num_classes=10, loss=dict(type='CrossEntropyLoss', loss_weight=1.0)
        ),
    ),
    losses=dict(tdp=dict(features=[-1], weights=[1.0])),
)
