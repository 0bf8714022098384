# RCAN: 10 groups of 20 blocks of 64 channels, of the library spandrel; it works on 0–255 inside. The weights are what
# configs/pcl_sr/pretrain_rcan_x4_div2k.py makes; a file of its authors (RCAN_BIX4.pt) has the same names.
restoration = dict(
    scale=4,
    degradation=dict(type='sr4ir_mm.BicubicDownsample', scale=4, antialias=True),
    restorer=dict(
        type='sr4ir_mm.Spandrel',
        architecture='RCAN',
        scale=4,
        n_resgroups=10,
        n_resblocks=20,
        n_feats=64,
        reduction=16,
        rgb_range=255,
        init_cfg=dict(type='Pretrained', checkpoint='work_dirs/pretrain_rcan_x4_div2k/iter_1000000.pth'),
    ),
)
