# SR4IR for detection: 30 epochs of 16 images. The first 3 are a warm-up without the TDP loss: both learning rates rise
# over one epoch, fall over two and restart; they are updated at each iteration.
train_cfg = dict(
    type='sr4ir_mm.AlternatingTrainLoop',
    max_epochs=30,
    val_interval=3,
    phases=[
        dict(name='restore', update='restorer', losses=dict(pixel=1.0, tdp=dict(weight=1.0, begin=3))),
        dict(name='recognize', update='recognizer', losses=dict(task_sr=0.34, task_hr=0.34, task_cqmix=0.34)),
    ])
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    constructor='sr4ir_mm.CascadeOptimWrapperConstructor',
    restorer=dict(optimizer=dict(type='AdamW', lr=1e-4, betas=(0.9, 0.999), weight_decay=0)),
    recognizer=dict(optimizer=dict(type='SGD', lr=2e-2, momentum=0.9, weight_decay=1e-4)))
ramp = dict(type='sr4ir_mm.LinearRampLR', begin=0, end=1, convert_to_iter_based=True)
cosine = dict(
    type='sr4ir_mm.CosineRestartLR',
    periods=[2, 27],
    restart_weights=[1, 1],
    begin=1,
    end=30,
    convert_to_iter_based=True)
param_scheduler = dict(
    restorer=[ramp, dict(cosine, eta_min=1e-6)], recognizer=[ramp, dict(cosine, eta_min=1e-4)])
# the batch that the learning rates belong to
auto_scale_lr = dict(enable=False, base_batch_size=16)
