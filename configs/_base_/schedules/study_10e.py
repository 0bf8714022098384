# Ten epochs, for sign digits (750 iterations) and detection (300, of more images each).
_base_ = 'study.py'
max_epochs = 10
cosine = dict(_base_.cosine, T_max=max_epochs)
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
param_scheduler = dict(_delete_=True, restorer=[cosine], recognizer=[cosine], embedding=[cosine])
