# A denoiser alone: 1.5 million iterations of 32 patches, the learning rate ÷10 every 500,000.
train_cfg = dict(
    type='sr4ir_mm.AlternatingIterTrainLoop',
    max_iters=1500000,
    val_interval=50000,
    phases=[dict(name='restore', update='restorer', losses=dict(pixel=1.0))])
optim_wrapper = dict(
    constructor='sr4ir_mm.CascadeOptimWrapperConstructor',
    restorer=dict(optimizer=dict(type='SGD', lr=1e-4, momentum=0.9, weight_decay=5e-4)))
param_scheduler = dict(restorer=[dict(type='StepLR', step_size=500000, gamma=0.1, by_epoch=False)])
