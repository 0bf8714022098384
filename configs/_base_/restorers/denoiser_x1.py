# The denoiser of `Denoising meets high-level vision` for images of any size: 1,033,443 parameters. The pixel loss is
# the mean over all values, on [0, 1].
restoration = dict(
    scale=1,
    degradation=dict(type='sr4ir_mm.GaussianNoise', sigma=25),
    pixel=dict(type='torch.nn.MSELoss'),
    restorer=dict(type='sr4ir_mm.MultiScaleDenoiser', padding='same'))
