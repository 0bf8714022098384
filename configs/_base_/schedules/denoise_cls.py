# A denoiser in front of a frozen recognizer of classification: 180,000 iterations, the learning rate ÷10 every 80,000.
# λ is the weight of a mean cross entropy against a mean squared error on [0, 1]. The pixel loss, to which learning rate
# and clipping belong, is ½ · 255² times the latter, so the task loss is multiplied by that too.
scale_255 = 0.5 * 255**2
train_cfg = dict(
    type='sr4ir_mm.AlternatingIterTrainLoop',
    max_iters=180000,
    val_interval=10000,
    phases=[dict(name='restore', update='restorer', losses=dict(pixel=1.0, task_sr=0.0040 * scale_255))],
)  # λ = 0.0040
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    constructor='sr4ir_mm.CascadeOptimWrapperConstructor',
    restorer=dict(
        optimizer=dict(type='SGD', lr=1e-5, momentum=0.9, weight_decay=5e-4),
        clip_grad=dict(max_norm=100),
        paramwise_cfg=dict(bias_lr_mult=2, bias_decay_mult=0),
    ),
)
param_scheduler = dict(restorer=[dict(type='StepLR', step_size=80000, gamma=0.1, by_epoch=False)])
# the batch that the learning rates belong to
auto_scale_lr = dict(enable=False, base_batch_size=10)
