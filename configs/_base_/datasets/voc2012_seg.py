# VOC2012 segmentation without the SBD annotations: 1,464 images for training, 1,449 for validation.
default_scope = 'mmseg'
dataset_type = 'PascalVOCDataset'
data_root = 'data/VOCdevkit/VOC2012'
train_pipeline = [
    dict(type='sr4ir_mm.LoadImage'),
    dict(type='LoadAnnotations'),
    dict(type='ResizeShortestEdge', scale=520, max_size=10000),
    dict(type='RandomCrop', crop_size=(480, 480)),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSegInputs'),
    dict(type='sr4ir_mm.CQMix', grid_size=8),
]
# Image and label are compared at a short side of 520 pixels.
test_pipeline = [
    dict(type='sr4ir_mm.LoadImage'),
    dict(type='LoadAnnotations'),
    dict(type='ResizeShortestEdge', scale=520, max_size=10000),
    dict(type='sr4ir_mm.SetOriShape'),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(
    batch_size=16,
    num_workers=4,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
        ann_file='ImageSets/Segmentation/train.txt',
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
        data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClass'),
        ann_file='ImageSets/Segmentation/val.txt',
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
# the columns of the published table; LPIPS needs the weights of VGG-16, and --skip-metrics LPIPS does without
image_metrics = [dict(type='sr4ir_mm.PSNR', border=8), dict(type='sr4ir_mm.LPIPS', border=8)]
val_evaluator = [dict(type='IoUMetric', iou_metrics=['mIoU']), *image_metrics]
test_evaluator = val_evaluator
visualizer = dict(type='SegLocalVisualizer', vis_backends=[dict(type='LocalVisBackend')], alpha=0.6)
