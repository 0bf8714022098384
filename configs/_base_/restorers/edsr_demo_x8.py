_base_ = 'edsr_demo_x4.py'
restoration = dict(scale=8, degradation=dict(scale=8), restorer=dict(upscale_factor=8))
