_base_ = [
    '../_base_/models/resnet_demo.py',
    '../_base_/restorers/edsr_demo_x4.py',
    '../_base_/datasets/cifar10.py',
    '../_base_/schedules/study.py',
    '../_base_/study_runtime.py',
]
# images of 32×32: the first convolution keeps their size, and nothing is pooled behind it
model = dict(**_base_.restoration, **_base_.pcl.model, recognizer=dict(backbone=dict(type='ResNet_CIFAR')))
auto_scale_lr = dict(base_batch_size=16)
