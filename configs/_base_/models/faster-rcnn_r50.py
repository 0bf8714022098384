# Faster R-CNN on ResNet-50 with FPN, as mmdet has it.
_base_ = 'mmdet::_base_/models/faster-rcnn_r50_fpn.py'
model = dict(
    _delete_=True,
    type='sr4ir_mm.CascadeDetector',
    # restored at original size; the detector sees a long side of at most 1333 and a short side of at most 800 pixels
    task=dict(input_scale=(1333, 800)),
    recognizer=_base_.model,
    # the levels of the FPN with strides 4 to 32
    losses=dict(tdp=dict(features=[0, 1, 2, 3], weights=[0.25, 0.25, 0.25, 0.25])),
)
efficiency = dict(conv_bn_eval=True)
