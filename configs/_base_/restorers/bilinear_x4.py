restoration = dict(
    scale=4,
    degradation=dict(type='sr4ir_mm.BicubicDownsample', scale=4),
    restorer=dict(type='sr4ir_mm.Interpolation', scale=4, mode='bilinear', align_corners=True),
)
