# The demo's schedule with 20 epochs, which detection and classification need.
_base_ = 'demo.py'
train_cfg = dict(max_epochs=20, val_interval=20)
auto_scale_lr = dict(base_batch_size=16)
