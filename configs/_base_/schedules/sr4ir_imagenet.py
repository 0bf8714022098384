# SR4IR for a classifier that knows ImageNet already: 30 epochs of 128 images, the first 3 without the TDP loss.
_base_ = 'sr4ir_cls.py'
phases = _base_.phases
phases[0].losses.tdp.begin = 3
train_cfg = dict(max_epochs=30, val_interval=3, phases=phases)
optim_wrapper = dict(recognizer=dict(optimizer=dict(lr=1e-2)))
cosine = dict(_base_.cosine, periods=[3, 27], end=30)
param_scheduler = dict(restorer=[dict(cosine, eta_min=1e-6)], recognizer=[dict(cosine, eta_min=1e-4)])
# one cosine over all epochs
one_cosine = dict(cosine, periods=[30], restart_weights=[1])
baseline_param_scheduler = dict(restorer=[dict(one_cosine, eta_min=1e-6)], recognizer=[dict(one_cosine, eta_min=1e-4)])
