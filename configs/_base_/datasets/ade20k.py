# ADE20K: 20,210 images for training, 2,000 for validation, 150 classes; mmseg's pipelines.
_base_ = 'mmseg::_base_/datasets/ade20k.py'
default_scope = 'mmseg'
load = dict(type='sr4ir_mm.LoadImage')
train_pipeline = [load, *_base_.train_pipeline[1:], dict(type='sr4ir_mm.CQMix', grid_size=8)]
test_pipeline = [load, *_base_.test_pipeline[1:]]
train_dataloader = dict(batch_size=16, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = [_base_.val_evaluator, dict(type='sr4ir_mm.PSNR', border=8)]
test_evaluator = val_evaluator
visualizer = dict(type='SegLocalVisualizer', vis_backends=[dict(type='LocalVisBackend')], alpha=0.6)
