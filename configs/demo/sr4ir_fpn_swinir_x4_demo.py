_base_ = [
    '../_base_/models/fpn_demo.py',
    '../_base_/restorers/swinir_demo_x4.py',
    '../_base_/datasets/demo_seg.py',
    '../_base_/schedules/demo.py',
    '../_base_/default_runtime.py',
]
model = _base_.restoration
default_hooks = dict(logger=dict(interval=10))
