_base_ = [
    '../_base_/models/fpn_demo.py',
    '../_base_/restorers/edsr_demo_x4.py',
    '../_base_/datasets/demo_seg_split.py',
    '../_base_/schedules/study.py',
    '../_base_/study_runtime.py',
]
model = dict(**_base_.restoration, **_base_.pcl.model)
