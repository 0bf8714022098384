# What the data sets of fine-grained classification have in common; type and place are theirs.
default_scope = 'mmpretrain'
train_pipeline = [
    dict(type='sr4ir_mm.LoadImage'),
    dict(type='ResizeEdge', scale=256, edge='short', backend='pillow'),
    dict(type='RandomCrop', crop_size=224),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PackInputs'),
    dict(type='sr4ir_mm.CQMix', grid_size=4),
]
test_pipeline = [
    dict(type='sr4ir_mm.LoadImage'),
    dict(type='ResizeEdge', scale=256, edge='short', backend='pillow'),
    dict(type='CenterCrop', crop_size=224),
    dict(type='PackInputs'),
]
train_dataloader = dict(
    batch_size=128,
    num_workers=4,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(split='train', pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=128,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(split='test', pipeline=test_pipeline),
)
test_dataloader = val_dataloader
# the columns of the published table; LPIPS needs the weights of VGG-16, and --skip-metrics LPIPS does without
image_metrics = [dict(type='sr4ir_mm.PSNR', border=8), dict(type='sr4ir_mm.LPIPS', border=8)]
val_evaluator = [dict(type='Accuracy', topk=(1,)), *image_metrics]
test_evaluator = val_evaluator
visualizer = dict(type='UniversalVisualizer', vis_backends=[dict(type='LocalVisBackend')])
