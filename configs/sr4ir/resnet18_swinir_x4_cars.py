_base_ = [
    '../_base_/models/resnet18.py',
    '../_base_/restorers/swinir_x4.py',
    '../_base_/datasets/stanford_cars.py',
    '../_base_/schedules/sr4ir_cls.py',  # phases and losses: ../_base_/methods/sr4ir.py
    '../_base_/default_runtime.py',
]
model = dict(_base_.restoration, recognizer=dict(head=dict(num_classes=_base_.num_classes)))
