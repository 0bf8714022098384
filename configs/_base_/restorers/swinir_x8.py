# SwinIR-M from random weights: mmagic has none for ×8, and those for ×4 have an upsampler of another shape. For your
# own, set model.restorer.init_cfg.
_base_ = 'swinir_x4.py'
restoration = dict(scale=8, degradation=dict(scale=8), restorer=dict(upscale=8, init_cfg=None))
