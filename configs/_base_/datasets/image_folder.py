# Images in <data_root>/train/<class>/ and <data_root>/test/<class>/. Every fifth training image is kept for validation,
# by which settings are chosen; the test images are for the final figures. Folder, size and number of classes come with
# the data set.
default_scope = 'mmpretrain'
train_pipeline = [
    dict(type='sr4ir_mm.LoadImage'),
    dict(type='RandomCrop'),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PackInputs'),
    dict(type='sr4ir_mm.CQMix', grid_size=4),
]
test_pipeline = [
    dict(type='sr4ir_mm.LoadImage'),
    dict(type='CenterCrop'),
    dict(type='PackInputs'),
]
train_dataloader = dict(
    batch_size=16,
    num_workers=0,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='sr4ir_mm.TrainValSplit',
        part='train',
        dataset=dict(type='CustomDataset', data_prefix='train', pipeline=train_pipeline),
    ),
)
val_dataloader = dict(
    batch_size=50,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='sr4ir_mm.TrainValSplit',
        part='val',
        dataset=dict(type='CustomDataset', data_prefix='train', pipeline=test_pipeline),
    ),
)
test_dataloader = dict(
    batch_size=50,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='CustomDataset', data_prefix='test', pipeline=test_pipeline),
)
val_evaluator = [dict(type='Accuracy', topk=(1,)), dict(type='sr4ir_mm.PSNR', border=8)]
test_evaluator = val_evaluator
visualizer = dict(type='UniversalVisualizer', vis_backends=[dict(type='LocalVisBackend')])
