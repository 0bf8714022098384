# COCO 2017 detection. Nothing resizes the images here: they are restored at their original size, and the detector has
# its own, see model.input_scale.
_base_ = 'mmdet::_base_/datasets/coco_detection.py'
default_scope = 'mmdet'
train_pipeline = [
    dict(type='sr4ir_mm.LoadImage'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs'),
    dict(type='sr4ir_mm.CQMix', grid_size=8),
]
test_pipeline = [
    dict(type='sr4ir_mm.LoadImage'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape')),
]
train_dataloader = dict(
    batch_size=16, num_workers=4, batch_sampler=dict(drop_last=True), dataset=dict(pipeline=train_pipeline)
)
val_dataloader = dict(num_workers=4, dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = [_base_.val_evaluator, dict(type='sr4ir_mm.PSNR', border=8)]
test_evaluator = val_evaluator
visualizer = dict(type='DetLocalVisualizer', vis_backends=[dict(type='LocalVisBackend')])
