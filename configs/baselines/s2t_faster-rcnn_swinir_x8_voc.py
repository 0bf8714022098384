_base_ = [
    '../_base_/models/faster-rcnn_mobilenetv3.py',
    '../_base_/restorers/swinir_x8.py',
    '../_base_/datasets/voc2012_det.py',
    '../_base_/schedules/baseline_det.py',
    '../_base_/protocols.py',
    '../_base_/default_runtime.py',
]
model = _base_.restoration
model.restorer.init_cfg = dict(
    type='Pretrained', checkpoint='work_dirs/sr_faster-rcnn_swinir_x8_voc/epoch_30.pth', prefix='restorer'
)
train_cfg = dict(phases=_base_.protocols.s2t.phases)
optim_wrapper = dict(restorer=None)
