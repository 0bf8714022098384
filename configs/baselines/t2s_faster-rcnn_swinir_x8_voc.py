_base_ = [
    '../_base_/models/faster-rcnn_mobilenetv3.py',
    '../_base_/restorers/swinir_x8.py',
    '../_base_/datasets/voc2012_det.py',
    '../_base_/schedules/baseline_det.py',
    '../_base_/protocols.py',
    '../_base_/default_runtime.py',
]
model = _base_.restoration
model.recognizer = dict(
    init_cfg=dict(type='Pretrained', checkpoint='work_dirs/h2t_faster-rcnn_voc/epoch_30.pth', prefix='recognizer')
)
train_cfg = dict(phases=_base_.protocols.t2s.phases)
optim_wrapper = dict(recognizer=None)
