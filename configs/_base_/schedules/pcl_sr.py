# PCL-SR: 600,000 iterations of 16 crops from a pretrained restorer, three cosines. The learning rate of the embedding
# network and the cosines' minimum are ours; the paper does not name them.
_base_ = ['../pcl.py', '../default_runtime.py']
train_cfg = dict(
    type='sr4ir_mm.AlternatingIterTrainLoop',
    max_iters=600000,
    val_interval=5000,
    phases=[
        _base_.pcl.embed,
        dict(name='restore', update='restorer', losses=dict(pixel=1.0, **_base_.pcl.losses)),
    ])
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    constructor='sr4ir_mm.CascadeOptimWrapperConstructor',
    restorer=dict(optimizer=dict(type='Adam', lr=5e-5)),
    embedding=_base_.pcl.optim_wrapper)
cosine = dict(
    type='sr4ir_mm.CosineRestartLR',
    by_epoch=False,
    periods=[200000, 200000, 200000],
    restart_weights=[1, 1, 1],
    eta_min=1e-7)
param_scheduler = dict(restorer=[cosine], embedding=[cosine])
default_hooks = dict(checkpoint=dict(by_epoch=False, interval=5000))
log_processor = dict(by_epoch=False)
# the batch that the learning rates belong to
auto_scale_lr = dict(enable=False, base_batch_size=16)
