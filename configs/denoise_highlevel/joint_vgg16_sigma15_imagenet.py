_base_ = [
    '../_base_/models/vgg16.py',
    '../_base_/restorers/denoiser_x1.py',
    '../_base_/datasets/imagenet_bs32.py',
    '../_base_/schedules/denoise_cls.py',
    '../_base_/iter_runtime.py',
]
model = _base_.restoration
model.degradation.sigma = 15
model.restorer.init_cfg = dict(
    type='Pretrained', checkpoint='work_dirs/denoiser_sigma15_imagenet/iter_1500000.pth', prefix='restorer'
)
train_dataloader = dict(batch_size=10)
