# Restormer as mmagic has it for Gaussian noise on color images. Its weights for σ = 15, 25 and 50 are listed in
# mmagic's metafile; for those, set model.restorer.init_cfg.
restoration = dict(
    scale=1,
    degradation=dict(type='sr4ir_mm.GaussianNoise', sigma=25),
    losses=dict(pixel=dict(type='mmagic.MSELoss', loss_weight=0.5 * 255**2)),
    restorer=dict(
        type='mmagic.Restormer',
        inp_channels=3,
        out_channels=3,
        dim=48,
        num_blocks=[4, 6, 6, 8],
        num_refinement_blocks=4,
        heads=[1, 2, 4, 8],
        ffn_expansion_factor=2.66,
        bias=False,
        LayerNorm_type='BiasFree',
        dual_pixel_task=False,
    ),
)
