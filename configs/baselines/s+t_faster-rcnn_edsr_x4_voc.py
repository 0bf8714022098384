_base_ = [
    '../_base_/models/faster-rcnn_mobilenetv3.py',
    '../_base_/restorers/edsr_x4.py',
    '../_base_/datasets/voc2012_det.py',
    '../_base_/schedules/baseline_det.py',
    '../_base_/protocols.py',
    '../_base_/default_runtime.py',
]
model = _base_.restoration
train_cfg = dict(phases=_base_.protocols['s+t'].phases)
