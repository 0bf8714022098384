_base_ = [
    '../_base_/models/segformer_mit-b0.py',
    '../_base_/restorers/edsr_x4.py',
    '../_base_/datasets/ade20k.py',
    '../_base_/schedules/sr4ir_ade20k.py',  # phases and losses: ../_base_/methods/sr4ir.py
    '../_base_/iter_runtime.py',
]
model = _base_.restoration
default_hooks = dict(checkpoint=dict(interval=16000))
