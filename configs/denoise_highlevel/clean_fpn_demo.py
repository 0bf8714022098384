# H→T of the demo with more epochs: a recognizer that is worth restoring images for.
_base_ = '../demo/sr4ir_fpn_edsr_x4_demo.py'
model = dict(scale=1, degradation=None, restorer=None)
recognize = dict(name='recognize', update='recognizer', losses=dict(task_hr=1.0))
train_cfg = dict(max_epochs=12, val_interval=12, phases=[recognize])
optim_wrapper = dict(restorer=None)
param_scheduler = dict(recognizer=[dict(type='OneCycleLR', eta_max=6e-3, total_steps=12, convert_to_iter_based=True)])
