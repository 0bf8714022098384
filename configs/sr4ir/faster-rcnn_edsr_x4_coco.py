_base_ = [
    '../_base_/models/faster-rcnn_r50.py',
    '../_base_/restorers/edsr_x4.py',
    '../_base_/datasets/coco_detection.py',
    '../_base_/schedules/sr4ir_det.py',  # phases and losses: ../_base_/methods/sr4ir.py
    '../_base_/default_runtime.py',
]
model = _base_.restoration
