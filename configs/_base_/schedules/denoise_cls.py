# A denoiser in front of a frozen recognizer of classification: 180,000 iterations, the learning rate ÷10 every
# 80,000; λ = 0.25. The pixel loss is the mean squared error over all values, on [0, 1]; λ multiplies the recognizer's
# own loss.
train_cfg = dict(
    type='sr4ir_mm.AlternatingIterTrainLoop',
    max_iters=180000,
    val_interval=10000,
    phases=[dict(name='restore', update='restorer', losses=dict(pixel=1.0, task_sr=0.25))])
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    constructor='sr4ir_mm.CascadeOptimWrapperConstructor',
    restorer=dict(optimizer=dict(type='SGD', lr=1e-5, momentum=0.9, weight_decay=5e-4)))
param_scheduler = dict(restorer=[dict(type='StepLR', step_size=80000, gamma=0.1, by_epoch=False)])
