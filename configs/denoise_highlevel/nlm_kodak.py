_base_ = ['../_base_/datasets/kodak.py', '../_base_/default_runtime.py']
sigma = 25
model = dict(
    type='sr4ir_mm.CascadeRestorer',
    scale=1,
    degradation=dict(type='sr4ir_mm.GaussianNoise', sigma=sigma),
    restorer=dict(type='sr4ir_mm.NonLocalMeans', sigma=sigma),
)
