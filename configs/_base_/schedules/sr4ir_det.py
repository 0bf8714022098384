# SR4IR for detection: 30 epochs of 16 images. The first 3 are a warm-up without the TDP loss: both learning rates rise
# over one epoch, fall over two and restart; they are updated at each iteration.
_base_ = 'sr4ir.py'
phases = _base_.phases
phases[0].losses.tdp.begin = 3
train_cfg = dict(max_epochs=30, val_interval=3, phases=phases)
optim_wrapper = dict(recognizer=dict(optimizer=dict(lr=2e-2)))
ramp = dict(type='sr4ir_mm.LinearRampLR', begin=0, end=1, convert_to_iter_based=True)
cosine = dict(_base_.cosine, periods=[2, 27], begin=1, end=30)
param_scheduler = dict(restorer=[ramp, dict(cosine, eta_min=1e-6)], recognizer=[ramp, dict(cosine, eta_min=1e-4)])
# The same ramp, then one cosine; its period is all 30 epochs, so that the training ends one epoch before its minimum.
one_cosine = dict(cosine, periods=[30], restart_weights=[1])
baseline_param_scheduler = dict(
    restorer=[ramp, dict(one_cosine, eta_min=1e-6)], recognizer=[ramp, dict(one_cosine, eta_min=1e-4)]
)
# the batch that the learning rates belong to
auto_scale_lr = dict(enable=False, base_batch_size=16)
