# EDSR: 32 blocks of 256 channels. mmagic has no weights of it: these are what
# configs/pcl_sr/pretrain_edsr-l_x4_div2k.py makes.
_base_ = 'edsr_x4.py'
restoration = dict(
    degradation=dict(antialias=True),
    restorer=dict(
        mid_channels=256,
        num_blocks=32,
        res_scale=0.1,
        init_cfg=dict(checkpoint='work_dirs/pretrain_edsr-l_x4_div2k/iter_300000.pth', prefix='restorer'),
    ),
)
