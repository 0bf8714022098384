_base_ = [
    '../_base_/models/deeplabv3_mobilenetv3.py',
    '../_base_/restorers/edsr_x4.py',
    '../_base_/datasets/voc2012_seg.py',
    '../_base_/schedules/baseline_seg.py',
    '../_base_/protocols.py',
    '../_base_/default_runtime.py',
]
model = _base_.restoration
model.restorer.init_cfg = dict(
    type='Pretrained', checkpoint='work_dirs/sr_deeplabv3_edsr_x4_voc/epoch_100.pth', prefix='restorer'
)
train_cfg = dict(phases=_base_.protocols.s2t.phases)
optim_wrapper = dict(restorer=None)
