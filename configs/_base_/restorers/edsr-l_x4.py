# EDSR: 32 blocks of 256 channels. mmagic has no weights of it: these are what configs/pcl_sr/pretrain_edsr-l_x4_div2k.py
# makes.
restoration = dict(
    scale=4,
    degradation=dict(type='sr4ir_mm.BicubicDownsample', scale=4, antialias=True),
    restorer=dict(
        type='mmagic.EDSRNet',
        in_channels=3,
        out_channels=3,
        mid_channels=256,
        num_blocks=32,
        upscale_factor=4,
        res_scale=0.1,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='work_dirs/pretrain_edsr-l_x4_div2k/iter_300000.pth',
            prefix='restorer')))
