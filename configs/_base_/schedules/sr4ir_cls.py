# SR4IR for classification: 200 epochs of 128 images. The first 20 are a warm-up without the TDP loss, then both
# learning rates restart; they are updated at each iteration.
_base_ = 'sr4ir.py'
phases = _base_.phases
phases[0].losses.tdp.begin = 20
train_cfg = dict(max_epochs=200, val_interval=10, phases=phases)
optim_wrapper = dict(recognizer=dict(optimizer=dict(lr=3e-2)))
cosine = dict(_base_.cosine, periods=[20, 180], end=200)
param_scheduler = dict(restorer=[dict(cosine, eta_min=1e-6)], recognizer=[dict(cosine, eta_min=1e-4)])
# one cosine over all epochs
one_cosine = dict(cosine, periods=[200], restart_weights=[1])
baseline_param_scheduler = dict(restorer=[dict(one_cosine, eta_min=1e-6)], recognizer=[dict(one_cosine, eta_min=1e-4)])
# the batch that the learning rates belong to
auto_scale_lr = dict(enable=False, base_batch_size=128)
