_base_ = ['sr4ir_resnet_edsr_x8_sign-digits.py', '../_base_/pcl.py']
model = _base_.pcl.model
model.embedding.base_channels = 8
model.contrastive.samples.update(num_sharpened=1, num_blurred=1)
restore, recognize = _base_.train_cfg.phases
restore = dict(restore, losses=dict(restore.losses, **_base_.pcl.losses))
train_cfg = dict(phases=[_base_.pcl.embed, restore, recognize])
optim_wrapper = dict(embedding=_base_.pcl.optim_wrapper)
param_scheduler = dict(embedding=_base_.param_scheduler.restorer)
