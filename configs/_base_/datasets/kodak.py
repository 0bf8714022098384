# Any folder of images, without labels: Kodak's 24 color images of 768×512 pixels, by default.
default_scope = 'mmpretrain'
test_dataloader = dict(
    batch_size=1,
    num_workers=1,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='CustomDataset',
        data_root='data/kodak',
        with_label=False,
        pipeline=[dict(type='sr4ir_mm.LoadImage'), dict(type='PackInputs')],
    ),
)
# in RGB, rounded to 8 bits, without a border of 3 pixels
test_evaluator = [dict(type='sr4ir_mm.PSNR', border=3)]
test_cfg = dict(type='TestLoop')
visualizer = dict(type='UniversalVisualizer', vis_backends=[dict(type='LocalVisBackend')])
