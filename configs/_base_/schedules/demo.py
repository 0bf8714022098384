# SR4IR in minutes on a CPU: everything is trained from scratch, the first epoch without the TDP loss.
train_cfg = dict(
    type='sr4ir_mm.AlternatingTrainLoop',
    max_epochs=4,
    val_interval=4,
    phases=[
        dict(name='restore', update='restorer', losses=dict(pixel=1.0, tdp=dict(weight=0.05, begin=1))),
        dict(name='recognize', update='recognizer', losses=dict(task_sr=0.34, task_hr=0.34, task_cqmix=0.34)),
    ],
)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    constructor='sr4ir_mm.CascadeOptimWrapperConstructor',
    restorer=dict(optimizer=dict(type='AdamW', lr=2e-3, weight_decay=0)),
    recognizer=dict(optimizer=dict(type='AdamW', lr=6e-3, weight_decay=1e-4)),
)
param_scheduler = dict(
    restorer=[dict(type='CosineAnnealingLR', T_max='max_epochs', eta_min=1e-5, convert_to_iter_based=True)],
    recognizer=[dict(type='OneCycleLR', eta_max=6e-3, total_steps='max_epochs', convert_to_iter_based=True)],
)
# the batch that the learning rates belong to
auto_scale_lr = dict(enable=False, base_batch_size=4)
