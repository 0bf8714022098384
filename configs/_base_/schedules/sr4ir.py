# SR4IR: what its schedules have in common. Length, warm-up and the recognizer's optimizer are the task's.
_base_ = '../methods/sr4ir.py'
train_cfg = dict(type='sr4ir_mm.AlternatingTrainLoop', phases=_base_.phases)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    constructor='sr4ir_mm.CascadeOptimWrapperConstructor',
    restorer=dict(optimizer=dict(type='AdamW', lr=1e-4, betas=(0.9, 0.999), weight_decay=0)),
    recognizer=dict(optimizer=dict(type='SGD', momentum=0.9, weight_decay=1e-4)),
)
cosine = dict(type='sr4ir_mm.CosineRestartLR', restart_weights=[1, 1], convert_to_iter_based=True)
# A task has its schedules in `param_scheduler`, and those of its baselines, which have no warm-up and so no restart, in
# `baseline_param_scheduler`: what the rows of ../protocols.py with `schedule='baseline'` take.
