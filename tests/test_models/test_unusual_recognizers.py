"""Recognizers that are built otherwise than most: nested features, no head, proposals alone."""

import torch

from sr4ir_mm.models.losses.tdp_loss import TDPLoss

from .one_iteration import MEAN_STD, NUM_CLASSES, build, check_one_iteration, cls_batch, det_batch, seg_batch
from .test_plug_in import RESNET18, shipped


def test_tdp_takes_the_map_of_a_nested_feature():
    maps, tokens = torch.rand(2, 3, 4, 4), torch.rand(2, 5, 3)
    loss = TDPLoss(features=[-1, 0], weights=[1.0, 0.5])
    first, second = loss.select([(tokens, maps), [2 * maps, tokens]])
    assert torch.equal(first, 2 * maps) and torch.equal(second, maps)
    assert torch.equal(loss.select([tokens, (tokens, 2 * tokens)])[0], tokens)


def test_dpt():
    recognizer = shipped(
        'mmseg::_base_/models/dpt_vit-b16.py',
        data_preprocessor__size=(64, 64),
        backbone__img_size=64,
        backbone__embed_dims=24,
        backbone__num_layers=4,
        backbone__num_heads=2,
        backbone__out_indices=(0, 1, 2, 3),
        decode_head__in_channels=(24, 24, 24, 24),
        decode_head__embed_dims=24,
        decode_head__channels=16,
        decode_head__post_process_channels=[8, 8, 8, 8],
        auxiliary_head=None,
    )
    check_one_iteration(build('Segmentor', recognizer), seg_batch())


def test_conformer():
    recognizer = shipped('mmpretrain::_base_/models/conformer/tiny-p16.py')
    check_one_iteration(build('Classifier', recognizer), cls_batch())


def test_a_classifier_of_timm():
    model = build(
        'Classifier',
        dict(
            type='TimmClassifier',
            model_name='resnet18',
            num_classes=NUM_CLASSES,
            loss=dict(type='CrossEntropyLoss'),
            data_preprocessor=dict(MEAN_STD, to_rgb=True),
        ),
    )
    assert model.task.num_classes == NUM_CLASSES
    check_one_iteration(model, cls_batch())
    other = {name: value + 1 for name, value in model.state_dict().items()}
    assert not any(model.load_state_dict(other, strict=False))  # nothing is missing, nothing unexpected
    assert all(torch.equal(value, other[name]) for name, value in model.state_dict().items())
    sample, _ = model.val_step(cls_batch())
    assert model.task.prediction(sample, tuple('abcd'))['pred_class'] in 'abcd'


def test_proposals_alone():
    model = build('Detector', shipped('mmdet::rpn/rpn_r50_fpn_1x_coco.py', **RESNET18))
    check_one_iteration(model, det_batch())
    sample, _ = model.val_step(det_batch())
    assert {'bboxes', 'scores'} <= set(model.task.prediction(sample, ('object',)))
