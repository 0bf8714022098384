# SwinIR-M, classical: 6 × 6 layers, 180 channels, 6 heads, windows of 8. It starts from random weights: mmagic has
# none for ×8, and those for ×4 have an upsampler of another shape. For your own, set model.restorer.init_cfg.
restoration = dict(
    scale=8,
    degradation=dict(type='sr4ir_mm.BicubicDownsample', scale=8),
    restorer=dict(
        type='mmagic.SwinIRNet',
        upscale=8,
        in_chans=3,
        img_size=48,
        window_size=8,
        img_range=1.0,
        depths=[6, 6, 6, 6, 6, 6],
        embed_dim=180,
        num_heads=[6, 6, 6, 6, 6, 6],
        mlp_ratio=2,
        upsampler='pixelshuffle',
        resi_connection='1conv'))
