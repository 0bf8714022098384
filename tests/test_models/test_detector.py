from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config

from sr4ir_mm.errors import ConfigError
from sr4ir_mm.models import CascadeDetector
from sr4ir_mm.models.batch import Batch

from .one_iteration import NUM_CLASSES, build, check_one_iteration, det_batch, one_iteration

ROOT = Path(__file__).parents[2]


def faster_rcnn(divisor=32):
    """The recipe's Faster R-CNN with fewer proposals, and narrower where that does not change what is tested."""
    cfg = Config.fromfile(ROOT / 'configs/_base_/models/faster-rcnn_mobilenetv3.py').model.recognizer
    cfg.backbone.init_cfg = None
    cfg.data_preprocessor.pad_size_divisor = divisor
    cfg.neck.out_channels = cfg.rpn_head.in_channels = cfg.rpn_head.feat_channels = 16
    cfg.roi_head.bbox_roi_extractor.out_channels = cfg.roi_head.bbox_head.in_channels = 16
    cfg.roi_head.bbox_head.fc_out_channels = 16
    cfg.roi_head.bbox_head.num_classes = NUM_CLASSES
    cfg.train_cfg.rpn_proposal.max_per_img = cfg.test_cfg.rpn.max_per_img = 20
    cfg.test_cfg.rcnn.score_thr = 0.0
    return cfg


def detector(**kwargs):
    kwargs.setdefault('tdp', dict(features=[0, 1], weights=[0.5, 0.5]))
    return build('Detector', recognizer=kwargs.pop('recognizer', None) or faster_rcnn(), **kwargs)


def batch_of(model, data, training=False):
    data = model.data_preprocessor(data, training)
    return Batch(model, data_samples=data['data_samples'], **data['inputs'])


@pytest.mark.parametrize('input_scale', [None, (160, 96)])
def test_an_iteration_moves_what_it_shall(input_scale):
    model = detector(task=dict(input_scale=input_scale))
    before = {name: value.clone() for name, value in model.recognizer.named_parameters()}
    check_one_iteration(model, det_batch(((50, 64), (64, 41))))
    frozen = {name for name, value in model.recognizer.named_parameters() if not value.requires_grad}
    assert all(name in frozen for name in before if name.startswith('backbone.features.6.'))
    for name, value in model.recognizer.named_parameters():
        if name in frozen:
            assert torch.equal(value, before[name]), name
    norms = [module for module in model.recognizer.backbone.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert norms and not any(norm.training or norm.weight.requires_grad for norm in norms)


def test_samples_are_resized_once_for_all_losses(monkeypatch):
    model = detector(task=dict(input_scale=(160, 96)))
    made, seen = [], []
    make, loss = CascadeDetector._make_view, model.recognizer.loss

    def counted(self, batch):
        made.append(make(self, batch))
        return made[-1]

    def recorded(inputs, samples):
        seen.append((tuple(inputs.shape), [sample.gt_instances.bboxes.clone() for sample in samples]))
        return loss(inputs, samples)

    monkeypatch.setattr(CascadeDetector, '_make_view', counted)
    monkeypatch.setattr(model.recognizer, 'loss', recorded)
    data = det_batch(((48, 64), (64, 40)))
    original = [sample.gt_instances.bboxes.tensor.clone() for sample in data['data_samples']]
    one_iteration(model, data)
    assert len(made) == 1 and len(seen) == 3
    # 48×64 -> 96×128 by the short side; 64×40 -> 154×96
    assert made[0].sizes == [(96, 128), (154, 96)]
    for shape, boxes in seen:
        assert shape == (2, 3, 160, 128)  # the largest sides, up to the next multiple of 32
        torch.testing.assert_close(boxes[0], original[0] * 2)
        torch.testing.assert_close(boxes[1], original[1] * torch.tensor([96 / 40, 154 / 64] * 2))


@pytest.mark.parametrize('input_scale', [None, (160, 96)])
def test_a_loss_that_changes_its_samples_does_not_disturb_the_next(input_scale, monkeypatch):
    model = detector(task=dict(input_scale=input_scale))
    loss, seen = model.recognizer.loss, []

    def spoiling(inputs, samples):
        losses = loss(inputs, samples)
        seen.append([len(sample.gt_instances) for sample in samples])
        for sample in samples:
            sample.gt_instances = sample.gt_instances[:0]
            sample.set_metainfo(dict(img_shape=(1, 1)))
        return losses

    monkeypatch.setattr(model.recognizer, 'loss', spoiling)
    one_iteration(model, det_batch())
    assert seen == [[2, 2]] * 3


def test_what_the_detector_is_told_about_a_resized_image():
    model = detector(task=dict(input_scale=(160, 96)))
    batch = batch_of(model, det_batch(((48, 64), (64, 40)), masks=True))
    model.recognizer.data_preprocessor.pad_mask = True
    model.train()
    image, samples = model.task.view(batch.hr, batch)
    assert samples[1].img_shape == (154, 96) and samples[1].pad_shape == (160, 96)
    assert samples[1].batch_input_shape == (160, 128) == tuple(image.shape[-2:])
    assert samples[1].scale_factor == (96 / 40, 154 / 64)
    assert samples[1].gt_instances.masks.masks.shape == (2, 160, 128)
    ratio = samples[1].gt_instances.masks.masks.sum() / batch.data_samples[1].gt_instances.masks.masks.sum()
    assert ratio == pytest.approx(96 / 40 * 154 / 64, rel=0.05)
    torch.testing.assert_close(samples[0].ignored_instances.bboxes, batch.data_samples[0].ignored_instances.bboxes * 2)
    assert not image[1, :, :, 96:].any() and not image[1, :, 154:].any()
    # the originals are as they were
    assert batch.data_samples[1].img_shape == (64, 40) and batch.data_samples[1].scale_factor == (1.0, 1.0)
    assert batch.data_samples[1].gt_instances.masks.masks.shape == (2, 64, 40)


def test_a_resize_in_the_pipeline_and_one_behind_the_restorer_add_up():
    model = detector(task=dict(input_scale=(160, 96)))
    data = det_batch(((48, 64),))
    data['data_samples'][0].set_metainfo(dict(scale_factor=(0.5, 0.25), ori_shape=(192, 128)))
    batch = batch_of(model, data)
    assert model.task.view(batch.hr, batch)[1][0].scale_factor == (1.0, 0.5)


def test_predictions_are_at_the_original_size():
    """The detector fed with a resized image, by the host's own preprocessor, says the same."""
    model = detector(recognizer=faster_rcnn(), restorer=None, losses={}, task=dict(input_scale=(128, 96))).eval()
    data = det_batch(((48, 64),))
    found = model.test_step(dict(data))[0]

    resized = F.interpolate(data['inputs'][0][None].float(), size=(96, 128), mode='bilinear')[0]
    sample = det_batch(((48, 64),))['data_samples'][0]
    sample.set_metainfo(dict(img_shape=(96, 128), scale_factor=(2.0, 2.0)))
    expected = model.recognizer.test_step(dict(inputs=[resized], data_samples=[sample]))[0]
    assert len(found.pred_instances) > 0
    torch.testing.assert_close(found.pred_instances.bboxes, expected.pred_instances.bboxes, rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(found.pred_instances.scores, expected.pred_instances.scores, rtol=1e-4, atol=1e-6)
    assert found.pred_instances.bboxes[:, 0::2].max() <= 64 and found.pred_instances.bboxes[:, 1::2].max() <= 48
    # the sample is the one of the pipeline, with its ground truth unchanged
    torch.testing.assert_close(found.gt_instances.bboxes, sample.gt_instances.bboxes.tensor)
    assert found.img_shape == (48, 64) and found.hr.shape == found.sr.shape == (3, 48, 64)


@pytest.mark.parametrize('input_scale', [None, (160, 96)])
def test_images_of_a_batch_come_back_without_their_padding(input_scale):
    model = detector(task=dict(input_scale=input_scale)).eval()
    sizes = (45, 62), (33, 37)
    for sample, (height, width) in zip(model.test_step(det_batch(sizes)), sizes):
        assert sample.sr.shape == sample.hr.shape == (3, height, width)
        assert sample.lr.shape == (3, -(-height // 4), -(-width // 4))
        assert 'bboxes' in sample.pred_instances


def test_padding_is_reflected_and_replicated_where_that_is_too_far():
    model = detector(task=dict(input_scale=(160, 96)))
    data = det_batch(((45, 62), (40, 37), (12, 30)))
    hr = batch_of(model, data).hr
    assert hr.shape == (3, 3, 48, 64)  # the largest sides, up to the next multiple of the scale
    image = data['inputs'][1].flip(0).float()[None] / 255
    torch.testing.assert_close(hr[1:2], F.pad(image, (0, 27, 0, 8), mode='reflect'))
    image = data['inputs'][2].flip(0).float()[None] / 255
    torch.testing.assert_close(hr[2:], F.pad(image, (0, 34, 0, 36), mode='replicate'))


def test_padding_is_what_the_recognizer_takes_it_for():
    recognizer = faster_rcnn()
    recognizer.data_preprocessor.pad_value = 7
    model = detector(recognizer=recognizer)
    batch = batch_of(model, det_batch(((32, 64), (32, 40))))
    image, _ = model.task.view(batch.hr, batch)
    assert (image[1, :, :, 40:] == 7).all() and not (image[1, :, :, :40] == 7).any()


def test_a_label_that_is_no_class_is_named():
    model = detector()
    data = det_batch()
    data['data_samples'][1].gt_instances.labels[0] = NUM_CLASSES
    with pytest.raises(ConfigError, match=r'1\.jpg have the values \[4\]; the recognizer allows 0 to 3\.'):
        one_iteration(model, data)


@pytest.mark.parametrize('value', [(800,), (0, 800)])
def test_a_bad_input_scale_is_named(value):
    with pytest.raises(ConfigError, match='model.task.input_scale is .*; allowed: None, or two whole numbers'):
        detector(task=dict(input_scale=value))


def test_boxes_of_a_class_are_resized_like_tensors():
    """A data preprocessor with boxtype2tensor=False leaves boxes what the pipeline made them."""
    recognizer = faster_rcnn()
    recognizer.data_preprocessor.boxtype2tensor = False
    model = detector(recognizer=recognizer, task=dict(input_scale=(128, 96)))
    batch = batch_of(model, det_batch(((48, 64),)))
    _, samples = model.task.view(batch.hr, batch)
    boxes = batch.data_samples[0].gt_instances.bboxes.tensor
    torch.testing.assert_close(samples[0].gt_instances.bboxes.tensor, boxes * 2)
