_base_ = [
    '../_base_/models/resnet_demo.py',
    '../_base_/restorers/denoiser_demo_x1.py',
    '../_base_/datasets/demo_cls.py',
    '../_base_/schedules/denoise_demo.py',
    '../_base_/iter_runtime.py',
]
model = _base_.restoration
model.recognizer = dict(
    init_cfg=dict(type='Pretrained', checkpoint='work_dirs/clean_resnet_demo/epoch_20.pth', prefix='recognizer')
)
train_cfg = dict(
    phases=[dict(name='restore', update='restorer', losses=dict(pixel=1.0, task_sr=0.0040 * _base_.scale_255))]
)
train_dataloader = dict(batch_size=8)
auto_scale_lr = dict(base_batch_size=8)
