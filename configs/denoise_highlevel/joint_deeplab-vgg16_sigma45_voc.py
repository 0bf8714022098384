_base_ = 'joint_deeplab-vgg16_sigma15_voc.py'
model = dict(
    degradation=dict(sigma=45),
    restorer=dict(init_cfg=dict(checkpoint='work_dirs/denoiser_sigma45_imagenet/iter_1500000.pth')),
)
