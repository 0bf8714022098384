"""Feature maps lie channels last only where the recognizer works so."""

import pytest
import torch

from sr4ir_mm.engine import apply_efficiency
from tests.test_models.one_iteration import build as build_plain
from tests.test_models.one_iteration import check_one_iteration, det_batch, seg_batch
from tests.test_models.test_plug_in import CLASSIFIERS, RESNET18, RESNET18_D8, SLIM_HEAD, TWO_STAGE, shipped


def build(*args, channels_last=None, **kwargs):
    model = build_plain(*args, **kwargs)
    apply_efficiency(model, channels_last)
    return model


FAILING = dict(
    vfnet=('vfnet/vfnet_r50_fpn_1x_coco.py', SLIM_HEAD),
    reppoints=('reppoints/reppoints-moment_r50_fpn-gn_head-gn_1x_coco.py', RESNET18),
    ga_retinanet=('guided_anchoring/ga-retinanet_r50-caffe_fpn_1x_coco.py', SLIM_HEAD),
    centernet=('centernet/centernet_r18_8xb16-crop512-140e_coco.py', dict()),
)


def lies_channels_last(recognizer):
    weight = next(
        p for p in recognizer.backbone.parameters() if p.dim() == 4 and min(p.shape[:2]) > 1 and p.shape[2] > 1
    )
    return weight.is_contiguous(memory_format=torch.channels_last) and not weight.is_contiguous()


@pytest.mark.parametrize('name', FAILING)
def test_detectors_that_view_their_maps_flat(name):
    path, changes = FAILING[name]
    model = build('Detector', shipped(f'mmdet::{path}', **changes))
    check_one_iteration(model, det_batch(((128, 128), (128, 128))))


def test_one_that_needs_larger_images_than_the_trial():
    model = build('Detector', shipped('mmdet::ddod/ddod_r50_fpn_1x_coco.py', **SLIM_HEAD))
    assert not lies_channels_last(model.recognizer)


def test_segmentors_that_view_their_maps_flat():
    recognizer = shipped(
        'mmseg::_base_/models/psanet_r50-d8.py',
        data_preprocessor__size=(64, 64),
        decode_head__mask_size=(17, 17),
        **RESNET18_D8,
    )
    check_one_iteration(build('Segmentor', recognizer), seg_batch())


def test_a_weight_of_five_dimensions():
    recognizer = shipped('mmpretrain::_base_/models/resnet18.py')
    model = build('Classifier', recognizer)
    assert lies_channels_last(model.recognizer)
    recognizer = build('Classifier', shipped('mmpretrain::_base_/models/resnet18.py'), channels_last=[]).recognizer
    recognizer.backbone.extra = torch.nn.Conv3d(1, 1, 1)
    model = build('Classifier', recognizer)
    assert not lies_channels_last(model.recognizer)


def test_those_that_work_are_chosen():
    model = build('Detector', shipped('mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py', **TWO_STAGE))
    assert lies_channels_last(model.recognizer)
    recognizer = shipped('mmseg::_base_/models/pspnet_r50-d8.py', data_preprocessor__size=(64, 64), **RESNET18_D8)
    assert lies_channels_last(build('Segmentor', recognizer).recognizer)
    path, changes = CLASSIFIERS['mobilenet']
    model = build('Classifier', shipped(f'mmpretrain::_base_/models/{path}', **changes))
    assert lies_channels_last(model.recognizer)


def test_a_trial_leaves_no_trace():
    """The same weights and the same random numbers afterwards as without it."""
    results = []
    for channels_last in (None, []):
        model = build('Classifier', shipped('mmpretrain::_base_/models/resnet18.py'), channels_last=channels_last)
        results.append((model.state_dict(), torch.rand(3)))
    assert torch.equal(results[0][1], results[1][1])
    assert all(torch.equal(value, results[1][0][name]) for name, value in results[0][0].items())
    assert all(parameter.grad is None for parameter in model.parameters())
