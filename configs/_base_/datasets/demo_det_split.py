# Those of demo_det.py for training and test; every fifth training image is kept for validation.
_base_ = 'demo_det.py'
images = _base_.train_dataloader.dataset
train_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(_delete_=True, type='sr4ir_mm.TrainValSplit', part='train', dataset=images),
)
val_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        _delete_=True,
        type='sr4ir_mm.TrainValSplit',
        part='val',
        dataset=dict(images, test_mode=True, pipeline=_base_.test_pipeline),
    ),
)
test_dataloader = dict(num_workers=0, persistent_workers=False)
