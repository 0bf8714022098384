_base_ = ['../sr4ir/faster-rcnn_edsr_x4_voc.py', '../_base_/pcl.py']
model = _base_.pcl.model
restore, recognize = _base_.train_cfg.phases
restore = dict(restore, losses=dict(restore.losses, **_base_.pcl.losses))
train_cfg = dict(phases=[_base_.pcl.embed, restore, recognize])
optim_wrapper = dict(embedding=_base_.pcl.optim_wrapper)
param_scheduler = dict(embedding=[])
