_base_ = [
    '../_base_/models/fpn_demo.py',
    '../_base_/datasets/demo_seg.py',
    '../_base_/schedules/demo.py',
    '../_base_/default_runtime.py',
]
model = dict(scale=4)
train_cfg = dict(phases=[dict(name='recognize', update='recognizer', losses=dict(task_hr=1.0))])
optim_wrapper = dict(restorer=None)
default_hooks = dict(logger=dict(interval=10))
