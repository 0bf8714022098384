# EDSR-baseline: 16 blocks of 64 channels. mmagic's weights work on [0, 1]; for weights that work on 0–255 inside, as
# those of EDSR-PyTorch, set value_range=255 here and multiply rgb_mean by 255.
restoration = dict(
    scale=4,
    degradation=dict(type='sr4ir_mm.BicubicDownsample', scale=4),
    restorer=dict(
        type='mmagic.EDSRNet',
        in_channels=3,
        out_channels=3,
        mid_channels=64,
        num_blocks=16,
        upscale_factor=4,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='https://download.openmmlab.com/mmediting/restorers/edsr/'
            'edsr_x4c64b16_1x16_300k_div2k_20200608-3c2af8a3.pth',
            prefix='generator',
        ),
    ),
)
