"""Any recognizer of the host libraries, any restorer of mmagic: one iteration of SR4IR with each.

The recognizers come from the configs that the libraries ship, narrower or with fewer layers where they are slow.
"""

import pytest
from mmengine.hub import get_config

from sr4ir_mm.errors import ConfigError

from .one_iteration import (
    EDSR,
    MEAN_STD,
    NUM_CLASSES,
    build,
    check_one_iteration,
    cls_batch,
    det_batch,
    seg_batch,
)


def without_downloads(node):
    """No pretrained weights, and batch norms that work on a CPU."""
    if isinstance(node, dict):
        for key, value in list(node.items()):
            if key == 'pretrained' or (key == 'init_cfg' and isinstance(value, dict) and value['type'] == 'Pretrained'):
                node[key] = None
            elif key == 'type' and value == 'SyncBN':
                node[key] = 'BN'
            elif key == 'num_classes' and value != 1:
                node[key] = NUM_CLASSES
            else:
                without_downloads(value)
    elif isinstance(node, (list, tuple)):
        for value in node:
            without_downloads(value)
    return node


def shipped(path, **changes):
    """The model of a config that a host library ships; a key of ``changes`` has ``__`` for a dot."""
    cfg = get_config(path)
    cfg.merge_from_dict({f'model.{key.replace("__", ".")}': value for key, value in changes.items()})
    model = without_downloads(cfg.model)
    if 'data_preprocessor' not in model:  # mmpretrain writes it beside the model, and not at all in its `_base_/models`
        model.data_preprocessor = cfg.get('data_preprocessor', dict(MEAN_STD, to_rgb=True, num_classes=NUM_CLASSES))
    return model


RESNET18 = dict(backbone__depth=18, neck__in_channels=[64, 128, 256, 512])
TWO_STAGE = dict(
    RESNET18,
    roi_head__bbox_head__fc_out_channels=32,
    train_cfg__rcnn__sampler__num=16,
    train_cfg__rpn_proposal__max_per_img=50,
)
SLIM_HEAD = dict(RESNET18, bbox_head__stacked_convs=1, bbox_head__feat_channels=32)
DETR = dict(backbone__depth=18, encoder__num_layers=1, decoder__num_layers=1, num_queries=10)
DETECTORS = dict(
    faster_rcnn=('faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py', TWO_STAGE),
    cascade_rcnn=(
        'cascade_rcnn/cascade-rcnn_r50_fpn_1x_coco.py',
        dict(
            RESNET18,
            **{f'roi_head__bbox_head__{stage}__fc_out_channels': 32 for stage in range(3)},
            **{f'train_cfg__rcnn__{stage}__sampler__num': 16 for stage in range(3)},
            train_cfg__rpn_proposal__max_per_img=50,
        ),
    ),
    retinanet=('retinanet/retinanet_r50_fpn_1x_coco.py', SLIM_HEAD),
    fcos=('fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py', SLIM_HEAD),
    yolox=('yolox/yolox_tiny_8xb8-300e_coco.py', dict()),
    rtmdet=('rtmdet/rtmdet_tiny_8xb32-300e_coco.py', dict()),
    detr=('detr/detr_r50_8xb2-150e_coco.py', dict(DETR, neck__in_channels=[512])),
    deformable_detr=(
        'deformable_detr/deformable-detr_r50_16xb2-50e_coco.py',
        dict(DETR, neck__in_channels=[128, 256, 512]),
    ),
)
INSTANCE_SEGMENTORS = dict(
    mask_rcnn=(
        'mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py',
        dict(TWO_STAGE, roi_head__mask_head__num_convs=1, roi_head__mask_head__conv_out_channels=32),
    ),
    solo=(
        'solo/solo_r50_fpn_1x_coco.py',
        dict(RESNET18, mask_head__stacked_convs=1, mask_head__feat_channels=32, mask_head__num_grids=[8, 6, 4, 3, 2]),
    ),
    rtmdet_ins=('rtmdet/rtmdet-ins_tiny_8xb32-300e_coco.py', dict()),
)
RESNET18_D8 = dict(backbone__depth=18, decode_head__in_channels=512, auxiliary_head__in_channels=256)
SEGMENTORS = dict(
    pspnet=('pspnet_r50-d8.py', RESNET18_D8),
    deeplabv3plus=('deeplabv3plus_r50-d8.py', dict(RESNET18_D8, decode_head__c1_in_channels=64)),
    segformer=('segformer_mit-b0.py', dict()),
    bisenetv2=('bisenetv2.py', dict()),
    fast_scnn=('fast_scnn.py', dict()),
    unet=(
        'fcn_unet_s5-d16.py',
        dict(backbone__base_channels=8, decode_head__in_channels=8, auxiliary_head__in_channels=16),
    ),
    upernet_swin=('upernet_swin.py', dict(backbone__depths=[1, 1, 1, 1])),
)
CLASSIFIERS = dict(
    resnet=('resnet18.py', dict()),
    mobilenet=('mobilenet_v2_1x.py', dict()),
    convnext=('convnext/convnext-tiny.py', dict(backbone__arch='atto', head__in_channels=320)),
    vit=('vit-base-p16.py', dict(backbone__arch='deit-tiny', backbone__img_size=64, head__in_channels=192)),
    swin=(
        'swin_transformer/tiny_224.py',
        dict(
            backbone__arch=dict(_delete_=True, embed_dims=24, depths=[1, 1, 1, 1], num_heads=[1, 2, 4, 8]),
            backbone__img_size=64,
            backbone__pad_small_map=True,
            head__in_channels=192,
        ),
    ),
)


@pytest.mark.parametrize('name', DETECTORS)
def test_detectors(name):
    path, changes = DETECTORS[name]
    check_one_iteration(build('Detector', shipped(f'mmdet::{path}', **changes)), det_batch())


@pytest.mark.parametrize('name, input_scale', [('mask_rcnn', None), ('solo', (160, 96)), ('rtmdet_ins', (160, 96))])
def test_instance_segmentors(name, input_scale):
    path, changes = INSTANCE_SEGMENTORS[name]
    model = build('Detector', shipped(f'mmdet::{path}', **changes), task=dict(input_scale=input_scale))
    check_one_iteration(model, det_batch(masks=True))


@pytest.mark.parametrize('name', SEGMENTORS)
def test_segmentors(name):
    path, changes = SEGMENTORS[name]
    recognizer = shipped(f'mmseg::_base_/models/{path}', data_preprocessor__size=(64, 64), **changes)
    check_one_iteration(build('Segmentor', recognizer), seg_batch())


@pytest.mark.parametrize('name', CLASSIFIERS)
def test_classifiers(name):
    path, changes = CLASSIFIERS[name]
    check_one_iteration(build('Classifier', shipped(f'mmpretrain::_base_/models/{path}', **changes)), cls_batch())


RGB = dict(in_channels=3, out_channels=3)
RESTORERS = dict(
    edsr=(2, dict(RGB, type='EDSRNet', mid_channels=8, num_blocks=1, upscale_factor=2)),
    swinir=(
        4,
        dict(
            type='SwinIRNet',
            upscale=4,
            in_chans=3,
            img_size=16,
            window_size=8,
            img_range=1.0,
            depths=[1],
            embed_dim=8,
            num_heads=[2],
            mlp_ratio=2,
            upsampler='pixelshuffle',
            resi_connection='1conv',
        ),
    ),
    rrdb=(4, dict(RGB, type='RRDBNet', mid_channels=8, num_blocks=1, growth_channels=4, upscale_factor=4)),
    rdn=(4, dict(RGB, type='RDNNet', mid_channels=8, num_blocks=1, upscale_factor=4, num_layers=2, channel_growth=8)),
    msrresnet=(4, dict(RGB, type='MSRResNet', mid_channels=8, num_blocks=1, upscale_factor=4)),
    srcnn=(4, dict(type='SRCNNNet', channels=(3, 8, 8, 3), upscale_factor=4)),
    nafnet=(
        1,
        dict(type='NAFNet', img_channels=3, mid_channels=8, enc_blk_nums=[1], middle_blk_num=1, dec_blk_nums=[1]),
    ),
    restormer=(
        1,
        dict(
            type='Restormer',
            inp_channels=3,
            out_channels=3,
            dim=8,
            num_blocks=[1, 1, 1, 1],
            num_refinement_blocks=1,
            heads=[1, 1, 1, 1],
        ),
    ),
)


RESNET = dict(
    type='ImageClassifier',
    data_preprocessor=dict(MEAN_STD, to_rgb=True),
    backbone=dict(type='ResNet', depth=18, base_channels=8, stem_channels=8),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', in_channels=64, num_classes=NUM_CLASSES),
)


@pytest.mark.parametrize('name', RESTORERS)
def test_restorers(name):
    scale, restorer = RESTORERS[name]
    restorer = dict(restorer, type='mmagic.' + restorer['type'])
    check_one_iteration(build('Classifier', RESNET, restorer, scale), cls_batch())


@pytest.mark.parametrize(
    'restorer',
    [
        dict(type='mmagic.BasicVSRNet', mid_channels=8, num_blocks=1),
        dict(
            type='mmagic.LIIFEDSRNet',
            encoder=EDSR,
            imnet=dict(type='mmagic.MLPRefiner', in_dim=8, out_dim=3, hidden_list=[8]),
        ),
    ],
)
def test_what_is_no_restorer_of_single_images_is_refused(restorer):
    with pytest.raises(ConfigError, match='model.restorer .* cannot restore one batch of images; allowed: networks'):
        build('Classifier', RESNET, restorer)


def test_a_recognizer_that_does_not_say_how_it_normalizes_is_refused():
    semi = dict(
        type='MultiBranchDataPreprocessor',
        data_preprocessor=dict(type='DetDataPreprocessor', mean=MEAN_STD['mean'], std=MEAN_STD['std']),
    )
    recognizer = shipped('mmdet::' + DETECTORS['fcos'][0], **SLIM_HEAD)
    recognizer.data_preprocessor = semi
    with pytest.raises(ConfigError, match='is a MultiBranchDataPreprocessor, which does not say how'):
        build('Detector', recognizer)
