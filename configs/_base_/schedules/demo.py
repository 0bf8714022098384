# SR4IR in two minutes on a CPU: everything is trained from scratch.
train_cfg = dict(
    type='sr4ir_mm.AlternatingTrainLoop',
    max_epochs=12,
    val_interval=6,
    phases=[
        dict(name='restore', update='restorer', losses=dict(pixel=1.0, tdp=dict(weight=0.1, begin=2))),
        dict(name='recognize', update='recognizer', losses=dict(task_sr=0.34, task_hr=0.34, task_cqmix=0.34)),
    ])
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    constructor='sr4ir_mm.CascadeOptimWrapperConstructor',
    restorer=dict(optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0)),
    recognizer=dict(optimizer=dict(type='AdamW', lr=4e-3, weight_decay=1e-4)))
cosine = dict(
    type='sr4ir_mm.CosineRestartLR', periods=[2, 10], restart_weights=[1, 1], end=12, convert_to_iter_based=True)
param_scheduler = dict(restorer=[dict(cosine, eta_min=1e-5)], recognizer=[dict(cosine, eta_min=1e-5)])
