# Patches of 48×48 pixels of ImageNet's images, or of those in any other folder, for a denoiser alone; the test is on Kodak.
_base_ = 'kodak.py'
train_dataloader = dict(
    batch_size=32,
    num_workers=4,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='CustomDataset',
        data_root='data/imagenet/train',
        with_label=False,
        pipeline=[
            dict(type='sr4ir_mm.LoadImage'),
            dict(type='RandomCrop', crop_size=48, pad_if_needed=True, padding_mode='reflect'),
            dict(type='RandomFlip', prob=0.5, direction='horizontal'),
            dict(type='PackInputs'),
        ],
    ),
)
val_dataloader = _base_.test_dataloader
val_evaluator = _base_.test_evaluator
val_cfg = dict(type='ValLoop')
