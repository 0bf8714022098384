# DIV2K: sub-images of the 800 for training, with their bicubic ×4 versions; five benchmarks for testing, of which Set5
# serves as validation during the training.
default_scope = 'mmengine'
load = [dict(type='mmagic.LoadImageFromFile', key=key) for key in ('img', 'gt')]
train_pipeline = [
    *load,
    dict(type='mmagic.SetValues', dictionary=dict(scale=4)),
    dict(type='mmagic.PairedRandomCrop', gt_patch_size=192),
    dict(type='mmagic.Flip', keys=['img', 'gt'], flip_ratio=0.5, direction='horizontal'),
    dict(type='mmagic.Flip', keys=['img', 'gt'], flip_ratio=0.5, direction='vertical'),
    dict(type='mmagic.RandomTransposeHW', keys=['img', 'gt'], transpose_ratio=0.5),
    dict(type='sr4ir_mm.PackImages'),
]
train_dataloader = dict(
    batch_size=16,
    num_workers=8,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type='mmagic.BasicImageDataset',
        data_root='data/DIV2K',
        ann_file='meta_info_DIV2K800sub_GT.txt',
        data_prefix=dict(img='DIV2K_train_LR_bicubic/X4_sub', gt='DIV2K_train_HR_sub'),
        pipeline=train_pipeline,
    ),
)
set5, set14, b100, urban100, manga109 = (
    dict(
        type='mmagic.BasicImageDataset',
        data_root=f'data/{name}',
        data_prefix=dict(img='LRbicx4', gt='GTmod12'),
        pipeline=[
            *load,
            dict(type='mmagic.SetValues', dictionary=dict(benchmark=name)),
            dict(type='sr4ir_mm.PackImages'),
        ],
    )
    for name in ('Set5', 'Set14', 'B100', 'Urban100', 'Manga109')
)
val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=set5,
)
test_dataloader = dict(
    val_dataloader, dataset=dict(type='ConcatDataset', datasets=[set5, set14, b100, urban100, manga109])
)
val_evaluator = [dict(type=f'sr4ir_mm.{name}', border=4, convert_to='Y') for name in ('PSNR', 'SSIM')]
test_evaluator = val_evaluator
visualizer = dict(type='Visualizer', vis_backends=[dict(type='LocalVisBackend')])
