_base_ = [
    '../_base_/models/faster-rcnn_mobilenetv3.py',
    '../_base_/restorers/swinir_x8.py',
    '../_base_/datasets/voc2012_det.py',
    '../_base_/schedules/sr4ir_det.py',  # phases and losses: ../_base_/methods/sr4ir.py
    '../_base_/default_runtime.py',
]
model = _base_.restoration
