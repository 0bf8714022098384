# NAFNet with the width and depth that mmagic has for SIDD. There are no public weights for Gaussian noise.
restoration = dict(
    scale=1,
    degradation=dict(type='sr4ir_mm.GaussianNoise', sigma=25),
    losses=dict(pixel=dict(type='mmagic.MSELoss', loss_weight=0.5 * 255**2)),
    restorer=dict(
        type='mmagic.NAFNet',
        img_channels=3,
        mid_channels=64,
        enc_blk_nums=[2, 2, 4, 8],
        middle_blk_num=12,
        dec_blk_nums=[2, 2, 2, 2],
    ),
)
