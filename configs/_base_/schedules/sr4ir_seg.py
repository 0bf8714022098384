# SR4IR for segmentation: 100 epochs of 16 images. The first 10 are a warm-up without the TDP loss, then both learning
# rates restart; they are updated at each iteration.
_base_ = 'sr4ir.py'
phases = _base_.phases
phases[0].losses.tdp.begin = 10
train_cfg = dict(max_epochs=100, val_interval=10, phases=phases)
optim_wrapper = dict(
    recognizer=dict(
        optimizer=dict(lr=2e-2, weight_decay=1e-6),
        paramwise_cfg=dict(custom_keys=dict(auxiliary_head=dict(lr_mult=10))),
    )
)
cosine = dict(_base_.cosine, periods=[10, 90], end=100)
param_scheduler = dict(restorer=[dict(cosine, eta_min=1e-6)], recognizer=[dict(cosine, eta_min=1e-4)])
# one cosine over all epochs
one_cosine = dict(cosine, periods=[100], restart_weights=[1])
baseline_param_scheduler = dict(restorer=[dict(one_cosine, eta_min=1e-6)], recognizer=[dict(one_cosine, eta_min=1e-4)])
# the batch that the learning rates belong to
auto_scale_lr = dict(enable=False, base_batch_size=16)
