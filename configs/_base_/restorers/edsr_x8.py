# EDSR-baseline: 16 blocks of 64 channels. It starts from random weights: there are no public ×8 weights for mmagic's
# network, and those for ×4 have an upsampler of another shape. For your own, set model.restorer.init_cfg.
restoration = dict(
    scale=8,
    degradation=dict(type='sr4ir_mm.BicubicDownsample', scale=8),
    restorer=dict(
        type='mmagic.EDSRNet', in_channels=3, out_channels=3, mid_channels=64, num_blocks=16, upscale_factor=8))
