# SwinIR-M for denoising, as mmagic has it: 6 × 6 layers, 180 channels, windows of 8. Its weights for σ = 15, 25 and
# 50 are listed in mmagic's metafile; for those, set model.restorer.init_cfg.
restoration = dict(
    scale=1,
    degradation=dict(type='sr4ir_mm.GaussianNoise', sigma=25),
    pixel=dict(type='torch.nn.MSELoss'),
    restorer=dict(
        type='mmagic.SwinIRNet',
        upscale=1,
        in_chans=3,
        img_size=128,
        window_size=8,
        img_range=1.0,
        depths=[6, 6, 6, 6, 6, 6],
        embed_dim=180,
        num_heads=[6, 6, 6, 6, 6, 6],
        mlp_ratio=2,
        upsampler='',
        resi_connection='1conv'))
