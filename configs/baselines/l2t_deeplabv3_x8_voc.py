_base_ = [
    '../_base_/models/deeplabv3_mobilenetv3.py',
    '../_base_/restorers/bilinear_x8.py',
    '../_base_/datasets/voc2012_seg.py',
    '../_base_/schedules/baseline_seg.py',
    '../_base_/protocols.py',
    '../_base_/default_runtime.py',
]
model = _base_.restoration
train_cfg = dict(phases=_base_.protocols.l2t.phases)
optim_wrapper = dict(restorer=None)
