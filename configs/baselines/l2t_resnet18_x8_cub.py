_base_ = [
    '../_base_/models/resnet18.py',
    '../_base_/restorers/bilinear_x8.py',
    '../_base_/datasets/cub200.py',
    '../_base_/schedules/baseline_cls.py',
    '../_base_/protocols.py',
    '../_base_/default_runtime.py',
]
model = dict(_base_.restoration, recognizer=dict(head=dict(num_classes=_base_.num_classes)))
train_cfg = dict(phases=_base_.protocols.l2t.phases)
optim_wrapper = dict(restorer=None)
