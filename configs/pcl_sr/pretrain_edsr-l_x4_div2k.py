# L1 from random weights, as mmagic trains EDSR
_base_ = 'l1_edsr-l_x4_div2k.py'
model = dict(restorer=dict(init_cfg=None))
train_cfg = dict(max_iters=300000)
optim_wrapper = dict(restorer=dict(optimizer=dict(lr=1e-4)))
param_scheduler = dict(restorer=[dict(type='MultiStepLR', by_epoch=False, milestones=[200000], gamma=0.5)])
