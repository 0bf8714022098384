_base_ = 'bilinear_x4.py'
restoration = dict(scale=8, degradation=dict(scale=8), restorer=dict(scale=8))
