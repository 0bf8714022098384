_base_ = [
    '../_base_/models/fcos_demo.py',
    '../_base_/restorers/bilinear_x4.py',
    '../_base_/datasets/demo_det.py',
    '../_base_/schedules/demo_20e.py',
    '../_base_/default_runtime.py',
]
model = _base_.restoration
train_cfg = dict(phases=[dict(name='recognize', update='recognizer', losses=dict(task_sr=1.0))])
optim_wrapper = dict(restorer=None)
default_hooks = dict(logger=dict(interval=10))
