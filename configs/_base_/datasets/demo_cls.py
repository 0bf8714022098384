# Single handwritten digits on colored backgrounds, made by tools/make_demo_data.py.
default_scope = 'mmpretrain'
train_pipeline = [
    dict(type='sr4ir_mm.LoadImage'),
    dict(type='PackInputs'),
    dict(type='sr4ir_mm.CQMix', grid_size=4),
]
test_pipeline = train_pipeline[:-1]
train_dataloader = dict(
    batch_size=16,
    num_workers=1,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='CustomDataset', data_root='data/demo/classification', data_prefix='train', pipeline=train_pipeline
    ),
)
val_dataloader = dict(
    batch_size=32,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='CustomDataset', data_root='data/demo/classification', data_prefix='val', pipeline=test_pipeline),
)
test_dataloader = val_dataloader
val_evaluator = [dict(type='Accuracy', topk=(1,)), dict(type='sr4ir_mm.PSNR', border=8)]
test_evaluator = val_evaluator
visualizer = dict(type='UniversalVisualizer', vis_backends=[dict(type='LocalVisBackend')])
