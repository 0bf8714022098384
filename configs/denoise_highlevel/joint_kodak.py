# A denoiser that learned with a recognizer, alone on Kodak. Noise and checkpoint go together: set both.
_base_ = ['../_base_/restorers/denoiser_x1.py', '../_base_/datasets/kodak.py', '../_base_/default_runtime.py']
model = _base_.restoration
model.type = 'sr4ir_mm.CascadeRestorer'
model.degradation.sigma = 30
model.restorer.init_cfg = dict(
    type='Pretrained', checkpoint='work_dirs/joint_vgg16_sigma30_imagenet/iter_180000.pth', prefix='restorer'
)
test_evaluator = [*_base_.test_evaluator, dict(type='sr4ir_mm.LPIPS', border=3), dict(type='sr4ir_mm.NIQE')]
