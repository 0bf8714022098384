_base_ = [
    '../_base_/models/resnet18.py',
    '../_base_/restorers/swinir_x8.py',
    '../_base_/datasets/stanford_cars.py',
    '../_base_/schedules/baseline_cls.py',
    '../_base_/protocols.py',
    '../_base_/default_runtime.py',
]
model = dict(_base_.restoration, recognizer=dict(head=dict(num_classes=_base_.num_classes)))
model['recognizer'].update(
    init_cfg=dict(type='Pretrained', checkpoint='work_dirs/h2t_resnet18_cars/epoch_200.pth', prefix='recognizer')
)
train_cfg = dict(phases=_base_.protocols.t2s.phases)
optim_wrapper = dict(recognizer=None)
