_base_ = ['../_base_/restorers/rcan_x4.py', '../_base_/datasets/div2k.py', '../_base_/schedules/pcl_sr.py']
model = dict(_base_.restoration, type='sr4ir_mm.CascadeRestorer', degradation=None, **_base_.pcl.model)
# published: values above 1 for losses of images in [0, 255], whose gradients are 255 times as large
optim_wrapper = dict(restorer=dict(clip_grad=dict(type='value', clip_value=1 / 255)))
