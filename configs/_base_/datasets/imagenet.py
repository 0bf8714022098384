# ImageNet-1k: 1,281,167 images for training, 50,000 for validation; mmpretrain's pipelines.
_base_ = 'mmpretrain::_base_/datasets/imagenet_bs32.py'
default_scope = 'mmpretrain'
load = dict(type='sr4ir_mm.LoadImage')
train_pipeline = [load, *_base_.train_pipeline[1:], dict(type='sr4ir_mm.CQMix', grid_size=4)]
test_pipeline = [load, *_base_.test_pipeline[1:]]
train_dataloader = dict(batch_size=128, persistent_workers=True, drop_last=True, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(batch_size=128, persistent_workers=True, dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = [_base_.val_evaluator, dict(type='sr4ir_mm.PSNR', border=8)]
test_evaluator = val_evaluator
visualizer = dict(type='UniversalVisualizer', vis_backends=[dict(type='LocalVisBackend')])
