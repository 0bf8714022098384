_base_ = [
    '../_base_/models/resnet_demo.py',
    '../_base_/datasets/demo_cls.py',
    '../_base_/schedules/demo_20e.py',
    '../_base_/default_runtime.py',
]
model = dict(scale=1)
train_cfg = dict(phases=[dict(name='recognize', update='recognizer', losses=dict(task_hr=1.0))])
optim_wrapper = dict(restorer=None)
default_hooks = dict(logger=dict(interval=10))
