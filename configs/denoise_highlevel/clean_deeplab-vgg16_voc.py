_base_ = [
    '../_base_/models/deeplab_vgg16.py',
    '../_base_/datasets/voc2012_seg_aug_321.py',
    '../_base_/schedules/deeplab.py',
    '../_base_/iter_runtime.py',
]
model = dict(scale=1)
