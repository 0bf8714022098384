# SwinIR-M for denoising, as mmagic has it: trained on patches of 128, no upsampler. Its weights for σ = 15, 25 and 50 are
# listed in mmagic's metafile; for those, set model.restorer.init_cfg.
_base_ = 'swinir_x4.py'
restoration = dict(
    scale=1,
    degradation=dict(_delete_=True, type='sr4ir_mm.GaussianNoise', sigma=25),
    losses=dict(pixel=dict(type='mmagic.MSELoss', loss_weight=0.5 * 255**2)),
    restorer=dict(upscale=1, img_size=128, upsampler='', init_cfg=None),
)
