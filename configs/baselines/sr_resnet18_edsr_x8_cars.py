_base_ = [
    '../_base_/models/resnet18.py',
    '../_base_/restorers/edsr_x8.py',
    '../_base_/datasets/stanford_cars.py',
    '../_base_/schedules/baseline_cls.py',
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
