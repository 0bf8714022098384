_base_ = [
    '../_base_/models/faster-rcnn_mobilenetv3.py',
    '../_base_/datasets/voc2012_det.py',
    '../_base_/schedules/baseline_det.py',
    '../_base_/protocols.py',
    '../_base_/default_runtime.py',
]
model = dict(scale=1)
train_cfg = dict(phases=_base_.protocols.h2t.phases)
optim_wrapper = dict(restorer=None)
