restoration = dict(
    scale=4,
    degradation=dict(type='sr4ir_mm.BicubicDownsample', scale=4),
    restorer=dict(
        type='mmagic.EDSRNet', in_channels=3, out_channels=3, mid_channels=16, num_blocks=4, upscale_factor=4
    ),
)
