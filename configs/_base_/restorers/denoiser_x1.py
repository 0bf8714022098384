# The denoiser of `Denoising meets high-level vision` for images of any size: 1,033,443 parameters. It works on 0–255
# without the mean color, outside images are in [0, 1]. The pixel loss is ½ · squared error on 0–255, mean over all values,
# which is ½ · 255² times the mean squared error on [0, 1].
restoration = dict(
    scale=1,
    degradation=dict(type='sr4ir_mm.GaussianNoise', sigma=25),
    losses=dict(pixel=dict(type='mmagic.MSELoss', loss_weight=0.5 * 255**2)),
    restorer=dict(type='sr4ir_mm.MultiScaleDenoiser', padding='same'),
)
