_base_ = [
    '../_base_/models/segformer_mit-b0.py', '../_base_/restorers/edsr_x4.py', '../_base_/datasets/ade20k.py',
    '../_base_/schedules/sr4ir_ade20k.py', '../_base_/default_runtime.py'
]
model = _base_.restoration
default_hooks = dict(
    checkpoint=dict(by_epoch=False, interval=16000), logger=dict(log_metric_by_epoch=False))
