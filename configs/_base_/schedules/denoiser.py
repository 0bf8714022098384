# A denoiser alone: 1.5 million iterations of 32 patches, the learning rate ÷10 every 500,000. Learning rate and
# clipping belong to a pixel loss of ½ · squared error on 0–255. Biases learn twice as fast and do not decay.
train_cfg = dict(
    type='sr4ir_mm.AlternatingIterTrainLoop',
    max_iters=1500000,
    val_interval=50000,
    phases=[dict(name='restore', update='restorer', losses=dict(pixel=1.0))],
)
optim_wrapper = dict(
    constructor='sr4ir_mm.CascadeOptimWrapperConstructor',
    restorer=dict(
        optimizer=dict(type='SGD', lr=1e-4, momentum=0.9, weight_decay=5e-4),
        clip_grad=dict(max_norm=100),
        paramwise_cfg=dict(bias_lr_mult=2, bias_decay_mult=0),
    ),
)
param_scheduler = dict(restorer=[dict(type='StepLR', step_size=500000, gamma=0.1, by_epoch=False)])
# the batch that the learning rates belong to
auto_scale_lr = dict(enable=False, base_batch_size=32)
