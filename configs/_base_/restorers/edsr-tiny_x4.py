# A small EDSR for trials on a CPU: 4 blocks of 16 channels, 40,000 parameters.
_base_ = 'edsr_x4.py'
restoration = dict(
    degradation=dict(antialias=True),
    restorer=dict(
        mid_channels=16,
        num_blocks=4,
        init_cfg=dict(checkpoint='work_dirs/pretrain_edsr-tiny_x4_photos/iter_2000.pth', prefix='restorer'),
    ),
)
