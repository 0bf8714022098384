_base_ = [
    '../_base_/models/resnet_demo.py',
    '../_base_/restorers/edsr_demo_x8.py',
    '../_base_/datasets/sign_digits.py',
    '../_base_/schedules/study_10e.py',
    '../_base_/study_runtime.py',
]
model = dict(**_base_.restoration, **_base_.pcl.model)
