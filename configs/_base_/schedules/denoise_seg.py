# A denoiser in front of a frozen recognizer of segmentation: 60,000 iterations, the learning rate ÷5 every 12,000;
# λ = 0.020, in the unit of denoise_cls.py.
_base_ = 'denoise_cls.py'
train_cfg = dict(
    max_iters=60000,
    val_interval=6000,
    phases=[dict(name='restore', update='restorer', losses=dict(pixel=1.0, task_sr=0.020 * _base_.scale_255))],
)
optim_wrapper = dict(restorer=dict(optimizer=dict(lr=1e-3)))
param_scheduler = dict(restorer=[dict(type='StepLR', step_size=12000, gamma=0.2, by_epoch=False)])
auto_scale_lr = dict(base_batch_size=6)
