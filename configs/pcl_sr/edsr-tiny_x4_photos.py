_base_ = [
    '../_base_/restorers/edsr_demo_x4.py', '../_base_/datasets/photos.py', '../_base_/schedules/pcl_sr.py'
]
pretrained = 'work_dirs/pretrain_edsr-tiny_x4_photos/iter_3000.pth'
init_cfg = dict(type='Pretrained', checkpoint=pretrained, prefix='restorer')
restorer = dict(_base_.restoration.restorer, init_cfg=init_cfg)
degradation = dict(_base_.restoration.degradation, antialias=True)
embedding = dict(_base_.pcl.model.embedding, base_channels=16)  # for a CPU
model = dict(_base_.restoration, type='sr4ir_mm.CascadeRestorer', restorer=restorer, degradation=degradation)
model.update(embedding=embedding, contrastive=_base_.pcl.model.contrastive)
train_cfg = dict(max_iters=500, val_interval=500)
default_hooks = dict(checkpoint=dict(interval=500))
