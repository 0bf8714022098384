# PCL-SR: 600,000 iterations of 16 crops from a pretrained restorer, three cosines, as published for RCAN. The embedding
# network has the restorer's learning rate, without a schedule, and each set of samples passes it alone. Published for
# NLSN: lr=5e-6, restart_weights=[1, 0.5, 0.5], eta_min=1e-9. For other restorers nothing is published.
_base_ = ['../pcl.py', '../default_runtime.py']
pcl = dict(model=dict(losses=dict(contrastive=dict(statistics='per_set'))))
train_cfg = dict(
    type='sr4ir_mm.AlternatingIterTrainLoop',
    max_iters=600000,
    val_interval=5000,
    phases=[
        _base_.pcl.embed,
        dict(name='restore', update='restorer', losses=dict(pixel=1.0, **_base_.pcl.losses)),
    ],
)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    constructor='sr4ir_mm.CascadeOptimWrapperConstructor',
    restorer=dict(optimizer=dict(type='Adam', lr=5e-5)),
    embedding=dict(optimizer=dict(type='Adam', lr=5e-5)),
)
cosine = dict(
    type='sr4ir_mm.CosineRestartLR',
    by_epoch=False,
    periods=[200000, 200000, 200000],
    restart_weights=[1, 1, 1],
    eta_min=1e-8,
)
param_scheduler = dict(restorer=[cosine], embedding=[])
default_hooks = dict(checkpoint=dict(by_epoch=False, interval=5000))
log_processor = dict(by_epoch=False)
# the batch that the learning rates belong to
auto_scale_lr = dict(enable=False, base_batch_size=16)
