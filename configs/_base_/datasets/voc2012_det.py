# VOC2012 detection: 5,717 images for training, 5,823 for validation. Nothing resizes them here: they are restored at
# their original size, and the detector has its own, see model.input_scale. As published, `difficult` objects count as any
# other, and boxes end where their last pixel does; with mmdet's own VOCDataset neither is so.
default_scope = 'mmdet'
dataset_type = 'sr4ir_mm.VOCDetectionDataset'
data_root = 'data/VOCdevkit/'
train_pipeline = [
    dict(type='sr4ir_mm.LoadImage'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs'),
    dict(type='sr4ir_mm.CQMix', grid_size=8),
]
# The metric makes its COCO ground truth from `instances`.
test_pipeline = [
    dict(type='sr4ir_mm.LoadImage'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'instances')),
]
train_dataloader = dict(
    batch_size=16,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    batch_sampler=dict(type='AspectRatioBatchSampler', drop_last=True),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='VOC2012/ImageSets/Main/train.txt',
        data_prefix=dict(sub_data_root='VOC2012/'),
        filter_cfg=dict(filter_empty_gt=True),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='VOC2012/ImageSets/Main/val.txt',
        data_prefix=dict(sub_data_root='VOC2012/'),
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
# the columns of the published table; LPIPS needs the weights of VGG-16, and --skip-metrics LPIPS does without
image_metrics = [dict(type='sr4ir_mm.PSNR', border=8), dict(type='sr4ir_mm.LPIPS', border=8)]
# COCO's average precision at IoU .5:.95, over all objects.
val_evaluator = [dict(type='CocoMetric', metric='bbox'), *image_metrics]
test_evaluator = val_evaluator
visualizer = dict(type='DetLocalVisualizer', vis_backends=[dict(type='LocalVisBackend')])
