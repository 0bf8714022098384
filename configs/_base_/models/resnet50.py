# ResNet-50, as mmpretrain has it, with its weights for clean images.
_base_ = 'mmpretrain::_base_/models/resnet50.py'
model = dict(
    _delete_=True,
    type='sr4ir_mm.CascadeClassifier',
    recognizer=dict(
        _base_.model,
        backbone=dict(_base_.model.backbone, out_indices=(2, 3)),  # the head takes the last one
        init_cfg=dict(
            type='Pretrained',
            checkpoint='https://download.openmmlab.com/mmclassification/v0/resnet/'
            'resnet50_8xb32_in1k_20210831-ea4938fc.pth',
        ),
    ),
    # layer 4, before the pooling: 2048 channels
    losses=dict(tdp=dict(features=[-1], weights=[1.0])),
)
efficiency = dict(conv_bn_eval=True)
