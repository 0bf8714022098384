# SwinIR-M, classical: 6 × 6 layers, 180 channels, 6 heads, windows of 8.
restoration = dict(
    scale=4,
    degradation=dict(type='sr4ir_mm.BicubicDownsample', scale=4),
    restorer=dict(
        type='sr4ir_mm.SwinIR',
        upscale=4,
        in_chans=3,
        img_size=48,
        window_size=8,
        img_range=1.0,
        depths=[6, 6, 6, 6, 6, 6],
        embed_dim=180,
        num_heads=[6, 6, 6, 6, 6, 6],
        mlp_ratio=2,
        upsampler='pixelshuffle',
        resi_connection='1conv',
        init_cfg=dict(
            type='Pretrained',
            checkpoint='https://download.openmmlab.com/mmediting/swinir/'
            'swinir_x4s48w8d6e180_8xb4-lr2e-4-500k_div2k-88e4903d.pth',
            prefix='generator',
        ),
    ),
)
