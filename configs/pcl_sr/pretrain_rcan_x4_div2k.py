# L1 from random weights, with RCAN's published learning rate; the length is ours
_base_ = 'l1_rcan_x4_div2k.py'
model = dict(restorer=dict(init_cfg=None))
train_cfg = dict(max_iters=1000000)
optim_wrapper = dict(restorer=dict(optimizer=dict(lr=1e-4), clip_grad=None))
milestones = [200000, 400000, 600000, 800000]
param_scheduler = dict(restorer=[dict(type='MultiStepLR', by_epoch=False, milestones=milestones, gamma=0.5)])
