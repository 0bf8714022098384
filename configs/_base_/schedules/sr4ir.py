# SR4IR: what its schedules have in common. Length, warm-up and the recognizer's optimizer are the task's.
phases = [
    dict(name='restore', update='restorer', losses=dict(pixel=1.0, tdp=dict(weight=1.0, begin=0))),
    # As published, the restorer draws its stochastic depth (SwinIR's drop_path) in this phase too; without train_mode a
    # part that is not updated is in eval mode. EDSR has none.
    dict(
        name='recognize',
        update='recognizer',
        losses=dict(task_sr=0.34, task_hr=0.34, task_cqmix=0.34),
        train_mode=['restorer'],
    ),
]
train_cfg = dict(type='sr4ir_mm.AlternatingTrainLoop', phases=phases)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    constructor='sr4ir_mm.CascadeOptimWrapperConstructor',
    restorer=dict(optimizer=dict(type='AdamW', lr=1e-4, betas=(0.9, 0.999), weight_decay=0)),
    recognizer=dict(optimizer=dict(type='SGD', momentum=0.9, weight_decay=1e-4)),
)
cosine = dict(type='sr4ir_mm.CosineRestartLR', restart_weights=[1, 1], convert_to_iter_based=True)
# The schedules of a task are in `param_scheduler`; those of its baselines, which have no warm-up and so no restart, are
# in `baseline_param_scheduler`, which baseline_<task>.py and the protocols take.
