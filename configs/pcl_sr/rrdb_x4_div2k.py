_base_ = ['../_base_/restorers/rrdb_x4.py', '../_base_/datasets/div2k.py', '../_base_/schedules/pcl_sr.py']
model = dict(_base_.restoration, type='sr4ir_mm.CascadeRestorer', degradation=None, **_base_.pcl.model)
