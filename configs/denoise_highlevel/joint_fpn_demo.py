_base_ = [
    '../_base_/models/fpn_demo.py',
    '../_base_/restorers/denoiser_demo_x1.py',
    '../_base_/datasets/demo_seg.py',
    '../_base_/schedules/denoise_demo.py',
    '../_base_/iter_runtime.py',
]
model = _base_.restoration
model.recognizer = dict(
    init_cfg=dict(type='Pretrained', checkpoint='work_dirs/clean_fpn_demo/epoch_12.pth', prefix='recognizer')
)
train_cfg = dict(
    phases=[dict(name='restore', update='restorer', losses=dict(pixel=1.0, task_sr=0.020 * _base_.scale_255))]
)
