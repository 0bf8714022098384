# h2t_fpn_demo with more epochs: a recognizer that is worth restoring images for.
_base_ = '../demo/h2t_fpn_demo.py'
train_cfg = dict(max_epochs=12, val_interval=12)
param_scheduler = dict(recognizer=[dict(type='OneCycleLR', eta_max=6e-3, total_steps=12, convert_to_iter_based=True)])
