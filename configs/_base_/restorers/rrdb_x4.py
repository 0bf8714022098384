# RRDBNet, the network of ESRGAN, with the weights of its training on L1 alone: 23 blocks, 64 channels.
restoration = dict(
    scale=4,
    degradation=dict(type='sr4ir_mm.BicubicDownsample', scale=4, antialias=True),
    restorer=dict(
        type='mmagic.RRDBNet',
        in_channels=3,
        out_channels=3,
        mid_channels=64,
        num_blocks=23,
        growth_channels=32,
        upscale_factor=4,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='https://download.openmmlab.com/mmediting/restorers/esrgan/'
            'esrgan_psnr_x4c64b23g32_1x16_1000k_div2k_20200420-bf5c993c.pth',
            prefix='generator',
        ),
    ),
)
