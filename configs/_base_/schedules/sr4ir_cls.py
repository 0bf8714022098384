# SR4IR for classification: 200 epochs of 128 images. The first 20 are a warm-up without the TDP loss, then both
# learning rates restart; they are updated at each iteration.
train_cfg = dict(
    type='sr4ir_mm.AlternatingTrainLoop',
    max_epochs=200,
    val_interval=10,
    phases=[
        dict(name='restore', update='restorer', losses=dict(pixel=1.0, tdp=dict(weight=1.0, begin=20))),
        dict(name='recognize', update='recognizer', losses=dict(task_sr=0.34, task_hr=0.34, task_cqmix=0.34)),
    ])
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    constructor='sr4ir_mm.CascadeOptimWrapperConstructor',
    restorer=dict(optimizer=dict(type='AdamW', lr=1e-4, betas=(0.9, 0.999), weight_decay=0)),
    recognizer=dict(optimizer=dict(type='SGD', lr=3e-2, momentum=0.9, weight_decay=1e-4)))
cosine = dict(
    type='sr4ir_mm.CosineRestartLR', periods=[20, 180], restart_weights=[1, 1], end=200, convert_to_iter_based=True)
param_scheduler = dict(restorer=[dict(cosine, eta_min=1e-6)], recognizer=[dict(cosine, eta_min=1e-4)])
# the batch that the learning rates belong to
auto_scale_lr = dict(enable=False, base_batch_size=128)
