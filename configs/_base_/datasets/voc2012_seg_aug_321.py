# VOC2012 segmentation with the SBD annotations, `train_aug`: 1,464 + 9,118 = 10,582 images for training.
_base_ = 'voc2012_seg_321.py'
train = _base_.train_dataloader.dataset
sbd = dict(
    data_prefix=dict(img_path='JPEGImages', seg_map_path='SegmentationClassAug'),
    ann_file='ImageSets/Segmentation/aug.txt',
)
train_dataloader = dict(dataset=dict(_delete_=True, type='ConcatDataset', datasets=[train, dict(train, **sbd)]))
