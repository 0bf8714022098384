_base_ = ['../_base_/restorers/edsr-tiny_x4.py', '../_base_/datasets/photos.py', '../_base_/schedules/pcl_sr.py']
parts = dict(embedding=dict(_base_.pcl.model.parts.embedding, base_channels=16))  # for a CPU
model = dict(_base_.restoration, type='sr4ir_mm.CascadeRestorer', **dict(_base_.pcl.model, parts=parts))
train_cfg = dict(max_iters=200, val_interval=200)
optim_wrapper = {part: dict(optimizer=dict(lr=2e-4)) for part in ('restorer', 'embedding')}
cosine = dict(type='CosineAnnealingLR', by_epoch=False, T_max='max_iters', eta_min=1e-6)
param_scheduler = dict(restorer=[cosine])
default_hooks = dict(checkpoint=dict(interval=200))
auto_scale_lr = dict(base_batch_size=8)
