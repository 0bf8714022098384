# h2t_resnet_demo with more epochs: a recognizer that is worth restoring images for.
_base_ = '../demo/h2t_resnet_demo.py'
train_cfg = dict(max_epochs=20, val_interval=20)
