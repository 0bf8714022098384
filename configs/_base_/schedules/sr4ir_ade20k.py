# SR4IR for SegFormer on ADE20K: mmseg's 160,000 iterations of 16 images and its optimizer. The first 16,000 are a
# warm-up without the TDP loss, then both learning rates restart.
_base_ = 'sr4ir.py'
phases = _base_.phases
phases[0].losses.tdp.begin = 16000
train_cfg = dict(
    _delete_=True, type='sr4ir_mm.AlternatingIterTrainLoop', max_iters=160000, val_interval=16000, phases=phases
)
optim_wrapper = dict(
    recognizer=dict(
        _delete_=True,
        optimizer=dict(type='AdamW', lr=6e-5, betas=(0.9, 0.999), weight_decay=0.01),
        paramwise_cfg=dict(
            custom_keys=dict(pos_block=dict(decay_mult=0.0), norm=dict(decay_mult=0.0), head=dict(lr_mult=10.0))
        ),
    )
)
ramp = dict(type='LinearLR', start_factor=1e-6, begin=0, end=1500, by_epoch=False)
cosine = dict(
    _base_.cosine, periods=[14500, 144000], begin=1500, end=160000, by_epoch=False, convert_to_iter_based=False
)
param_scheduler = dict(restorer=[ramp, dict(cosine, eta_min=1e-6)], recognizer=[ramp, dict(cosine, eta_min=0.0)])
# the same ramp, then one cosine
one_cosine = dict(cosine, periods=[158500], restart_weights=[1])
baseline_param_scheduler = dict(
    restorer=[ramp, dict(one_cosine, eta_min=1e-6)], recognizer=[ramp, dict(one_cosine, eta_min=0.0)]
)
# the batch that the learning rates belong to
auto_scale_lr = dict(enable=False, base_batch_size=16)
