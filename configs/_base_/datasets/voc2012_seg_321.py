# VOC2012 segmentation at its original size: crops of 321×321 pixels for training, whole images for validation.
_base_ = 'voc2012_seg.py'
train_pipeline = [
    dict(type='sr4ir_mm.LoadImage'),
    dict(type='LoadAnnotations'),
    dict(type='RandomCrop', crop_size=(321, 321)),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
]
test_pipeline = [
    dict(type='sr4ir_mm.LoadImage'),
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(batch_size=10, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = [dict(type='IoUMetric', iou_metrics=['mIoU']), dict(type='sr4ir_mm.PSNR', border=3)]
test_evaluator = val_evaluator
