# The demo's schedule with 20 epochs, which detection and classification need.
_base_ = 'demo.py'
max_epochs = 20
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
param_scheduler = _base_.param_scheduler
param_scheduler.restorer[0].T_max = param_scheduler.recognizer[0].total_steps = max_epochs
