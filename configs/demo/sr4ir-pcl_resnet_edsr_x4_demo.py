_base_ = ['sr4ir_resnet_edsr_x4_demo.py', '../_base_/pcl.py']
model = dict(_base_.pcl.model, parts=dict(embedding=dict(_base_.pcl.model.parts.embedding, base_channels=16)))
restore, recognize = _base_.train_cfg.phases
restore = dict(restore, losses=dict(restore.losses, **_base_.pcl.losses))
train_cfg = dict(phases=[_base_.pcl.embed, restore, recognize])
optim_wrapper = dict(embedding=_base_.pcl.optim_wrapper)
param_scheduler = dict(embedding=_base_.param_scheduler.restorer)
