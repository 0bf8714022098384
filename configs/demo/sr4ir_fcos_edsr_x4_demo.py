_base_ = [
    '../_base_/models/fcos_demo.py',
    '../_base_/restorers/edsr_demo_x4.py',
    '../_base_/datasets/demo_det.py',
    '../_base_/schedules/demo_20e.py',
    '../_base_/default_runtime.py',
]
model = _base_.restoration
default_hooks = dict(logger=dict(interval=10))
