# A small EDSR for trials on a CPU: 4 blocks of 16 channels, 40,000 parameters.
restoration = dict(
    scale=4,
    degradation=dict(type='sr4ir_mm.BicubicDownsample', scale=4, antialias=True),
    restorer=dict(
        type='mmagic.EDSRNet',
        in_channels=3,
        out_channels=3,
        mid_channels=16,
        num_blocks=4,
        upscale_factor=4,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='work_dirs/pretrain_edsr-tiny_x4_photos/iter_2000.pth',
            prefix='restorer')))
