_base_ = [
    '../_base_/models/deeplabv3_mobilenetv3.py',
    '../_base_/restorers/edsr_x4.py',
    '../_base_/datasets/voc2012_seg.py',
    '../_base_/schedules/baseline_seg.py',
    '../_base_/protocols.py',
    '../_base_/default_runtime.py',
]
model = dict(
    _base_.restoration,
    recognizer=None,
    losses=dict(tdp=None),
    data_preprocessor=_base_.model.recognizer.data_preprocessor,
)
train_cfg = dict(phases=_base_.protocols.sr.phases)
optim_wrapper = dict(recognizer=None)
val_evaluator = _base_.image_metrics
test_evaluator = val_evaluator
