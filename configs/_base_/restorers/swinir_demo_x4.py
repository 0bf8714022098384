# A SwinIR of 50,000 parameters: 2 × 2 layers, 24 channels, and the stochastic depth of the published one.
restoration = dict(
    scale=4,
    degradation=dict(type='sr4ir_mm.BicubicDownsample', scale=4),
    restorer=dict(
        type='mmagic.SwinIRNet',
        upscale=4,
        in_chans=3,
        img_size=24,
        window_size=8,
        img_range=1.0,
        depths=[2, 2],
        embed_dim=24,
        num_heads=[4, 4],
        mlp_ratio=2,
        drop_path_rate=0.1,
        upsampler='pixelshuffledirect',
        resi_connection='1conv'))
