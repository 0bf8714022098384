# L1 from random weights; the cosine ends later than the training, at a quarter of the learning rate
_base_ = 'l1_edsr-tiny_x4_photos.py'
model = dict(restorer=dict(init_cfg=None))
train_cfg = dict(max_iters=2000, val_interval=2000)
optim_wrapper = dict(restorer=dict(optimizer=dict(lr=1e-3)))
param_scheduler = dict(restorer=[dict(type='CosineAnnealingLR', by_epoch=False, T_max=3000, eta_min=1e-5)])
