# EDSR-baseline from random weights: there are no public ×8 weights for mmagic's network, and those for ×4 have an
# upsampler of another shape. For your own, set model.restorer.init_cfg.
_base_ = 'edsr_x4.py'
restoration = dict(scale=8, degradation=dict(scale=8), restorer=dict(upscale_factor=8, init_cfg=None))
