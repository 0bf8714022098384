_base_ = [
    '../_base_/models/resnet18.py',
    '../_base_/restorers/edsr_x4.py',
    '../_base_/datasets/cub200.py',
    '../_base_/schedules/baseline_cls.py',
    '../_base_/protocols.py',
    '../_base_/default_runtime.py',
]
model = dict(_base_.restoration, recognizer=dict(head=dict(num_classes=_base_.num_classes)))
model['restorer'].init_cfg = dict(
    type='Pretrained', checkpoint='work_dirs/sr_resnet18_edsr_x4_cub/epoch_200.pth', prefix='restorer'
)
train_cfg = dict(phases=_base_.protocols.s2t.phases)
optim_wrapper = dict(restorer=None)
