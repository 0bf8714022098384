_base_ = [
    '../_base_/restorers/denoiser_x1.py',
    '../_base_/datasets/imagenet_patches.py',
    '../_base_/schedules/denoiser.py',
    '../_base_/iter_runtime.py',
]
model = dict(_base_.restoration, type='sr4ir_mm.CascadeRestorer')
