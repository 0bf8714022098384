# SegFormer on MiT-B0, as mmseg has it, for ADE20K's 150 classes.
_base_ = 'mmseg::_base_/models/segformer_mit-b0.py'
recognizer = _base_.model
recognizer.data_preprocessor.size = (512, 512)
recognizer.backbone.init_cfg = dict(
    type='Pretrained',
    checkpoint='https://download.openmmlab.com/mmsegmentation/v0.5/pretrain/segformer/mit_b0_20220624-7e0fe6dd.pth',
)
# with 16 images a GPU, plain batch norms do what mmseg's SyncBN is for with two
recognizer.decode_head.update(num_classes=150, norm_cfg=dict(type='BN'))
model = dict(
    _delete_=True,
    type='sr4ir_mm.CascadeSegmentor',
    recognizer=recognizer,
    # all four stages of the backbone
    losses=dict(tdp=dict(features=[0, 1, 2, 3], weights=[0.25, 0.25, 0.25, 0.25])),
)
