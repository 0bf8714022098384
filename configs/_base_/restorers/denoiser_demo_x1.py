# The denoiser of `Denoising meets high-level vision` with an eighth of its channels: small enough for a CPU, and with
# statistics that are ready after a few hundred iterations.
restoration = dict(
    scale=1,
    degradation=dict(type='sr4ir_mm.GaussianNoise', sigma=25),
    restorer=dict(type='sr4ir_mm.MultiScaleDenoiser', width=8, momentum=0.1),
    losses=dict(pixel=dict(type='mmagic.MSELoss', loss_weight=0.5 * 255**2)),
)
