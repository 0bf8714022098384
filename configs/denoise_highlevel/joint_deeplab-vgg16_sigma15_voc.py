_base_ = [
    '../_base_/models/deeplab_vgg16.py',
    '../_base_/restorers/denoiser_x1.py',
    '../_base_/datasets/voc2012_seg_aug_321.py',
    '../_base_/schedules/denoise_seg.py',
    '../_base_/iter_runtime.py',
]
model = _base_.restoration
model.degradation.sigma = 15
model.restorer.init_cfg = dict(
    type='Pretrained', checkpoint='work_dirs/denoiser_sigma15_imagenet/iter_1500000.pth', prefix='restorer'
)
model.recognizer = dict(
    init_cfg=dict(type='Pretrained', checkpoint='work_dirs/clean_deeplab-vgg16_voc/iter_20000.pth', prefix='recognizer')
)
train_dataloader = dict(batch_size=6)
