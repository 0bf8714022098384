# A denoiser in front of a frozen recognizer, in a minute or two on a CPU. λ, the weight of the task loss, is the
# task's, in the unit of denoise_cls.py.
scale_255 = 0.5 * 255**2
train_cfg = dict(type='sr4ir_mm.AlternatingIterTrainLoop', max_iters=400, val_interval=400)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    constructor='sr4ir_mm.CascadeOptimWrapperConstructor',
    restorer=dict(optimizer=dict(type='AdamW', lr=2e-3, weight_decay=0)),
)
param_scheduler = dict(restorer=[dict(type='CosineAnnealingLR', T_max='max_iters', eta_min=1e-5, by_epoch=False)])
# the batch that the learning rates belong to
auto_scale_lr = dict(enable=False, base_batch_size=4)
