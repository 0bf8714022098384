# H→T of the demo: a recognizer that is worth restoring images for.
_base_ = '../demo/sr4ir_resnet_edsr_x4_demo.py'
model = dict(scale=1, degradation=None, restorer=None)
train_cfg = dict(phases=[dict(name='recognize', update='recognizer', losses=dict(task_hr=1.0))])
optim_wrapper = dict(restorer=None)
