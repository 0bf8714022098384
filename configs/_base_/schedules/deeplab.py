# DeepLab on clean images: 20,000 iterations, polynomial decay, the new layers ten times as fast.
train_cfg = dict(
    type='sr4ir_mm.AlternatingIterTrainLoop',
    max_iters=20000,
    val_interval=2000,
    phases=[dict(name='recognize', update='recognizer', losses=dict(task_hr=1.0))],
)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    constructor='sr4ir_mm.CascadeOptimWrapperConstructor',
    recognizer=dict(
        optimizer=dict(type='SGD', lr=1e-3, momentum=0.9, weight_decay=5e-4),
        paramwise_cfg=dict(custom_keys=dict(decode_head=dict(lr_mult=10))),
    ),
)
param_scheduler = dict(recognizer=[dict(type='PolyLR', power=0.9, eta_min=0.0, end=20000, by_epoch=False)])
# the batch that the learning rates belong to
auto_scale_lr = dict(enable=False, base_batch_size=10)
