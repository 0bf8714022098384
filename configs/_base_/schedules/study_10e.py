# Ten epochs, for sign digits (750 iterations) and detection (300, of more images each).
_base_ = 'study.py'
train_cfg = dict(max_epochs=10, val_interval=10)
auto_scale_lr = dict(base_batch_size=16)
