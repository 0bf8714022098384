# Photographs of your own: every image in train/ and val/. What is to be restored is made of them on the device.
default_scope = 'mmengine'
train_pipeline = [
    dict(type='mmagic.LoadImageFromFile', key='gt'),
    dict(type='mmagic.Crop', keys=['gt'], crop_size=(64, 64)),
    dict(type='mmagic.Flip', keys=['gt'], flip_ratio=0.5, direction='horizontal'),
    dict(type='mmagic.Flip', keys=['gt'], flip_ratio=0.5, direction='vertical'),
    dict(type='mmagic.RandomTransposeHW', keys=['gt'], transpose_ratio=0.5),
    dict(type='sr4ir_mm.PackImages'),
]
train_dataloader = dict(
    batch_size=8,
    num_workers=1,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type='mmagic.BasicImageDataset', data_root='data/photos', data_prefix=dict(gt='train'), pipeline=train_pipeline
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmagic.BasicImageDataset',
        data_root='data/photos',
        data_prefix=dict(gt='val'),
        pipeline=[train_pipeline[0], train_pipeline[-1]],
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='sr4ir_mm.PSNR', border=4, convert_to='Y')
test_evaluator = val_evaluator
visualizer = dict(type='Visualizer', vis_backends=[dict(type='LocalVisBackend')])
