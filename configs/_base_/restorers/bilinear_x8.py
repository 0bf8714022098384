restoration = dict(
    scale=8,
    degradation=dict(type='sr4ir_mm.BicubicDownsample', scale=8),
    restorer=dict(type='sr4ir_mm.Interpolation', scale=8, mode='bilinear', align_corners=True))
