_base_ = [
    '../_base_/models/resnet18.py',
    '../_base_/datasets/cub200.py',
    '../_base_/schedules/baseline_cls.py',
    '../_base_/protocols.py',
    '../_base_/default_runtime.py',
]
model = dict(scale=1, recognizer=dict(head=dict(num_classes=_base_.num_classes)))
train_cfg = dict(phases=_base_.protocols.h2t.phases)
optim_wrapper = dict(restorer=None)
