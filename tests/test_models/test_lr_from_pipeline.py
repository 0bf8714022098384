"""A data set that brings its own low-resolution images, made in the pipeline."""

import numpy as np
import pytest
import torch
from mmcv.transforms import Compose
from mmengine.config import Config
from mmengine.dataset import default_collate, pseudo_collate
from mmengine.registry import init_default_scope

from sr4ir_mm.errors import ConfigError
from tests.helpers.builders import ROOT, segmentor
from tests.helpers.one_iteration import PHASES, build, check_one_iteration

from .test_classifier import resnet
from .test_detector import faster_rcnn

REALWORLD = Config.fromfile(ROOT / 'configs/_base_/degradations/realworld_x4.py').realworld


def seg_results(height, width):
    return dict(gt_seg_map=np.eye(height, width, dtype=np.uint8), seg_fields=['gt_seg_map'])


def det_results(height, width):
    boxes = np.array([[2, 3, 30, 35], [10, 8, width - 4, height - 2]], np.float32)
    return dict(gt_bboxes=boxes, gt_bboxes_labels=np.array([0, 1]), gt_ignore_flags=np.array([False, False]), img_id=0)


def cls_results(height, width):
    return dict(gt_label=1)


META = ('img_path', 'ori_shape', 'img_shape')
SIZES = [(50, 64), (64, 41)]
TASKS = dict(
    Segmentor=('mmseg', segmentor, seg_results, 'PackSegInputs', [(64, 64), (64, 64)], pseudo_collate),
    Detector=('mmdet', faster_rcnn, det_results, 'PackDetInputs', SIZES, pseudo_collate),
    Classifier=('mmpretrain', resnet, cls_results, 'PackInputs', [(66, 62), (66, 62)], default_collate),
)


def loaded(task):
    """A batch as the host library's packing transform, the two behind it and the library's collating make it."""
    scope, _, fields, packing, sizes, collate = TASKS[task]
    init_default_scope(scope)
    pipeline = Compose([dict(type=packing, meta_keys=META), dict(type='sr4ir_mm.CQMix'), REALWORLD.to_dict()])
    random = np.random.RandomState(0)
    return collate(
        [
            pipeline(
                dict(
                    fields(*size),
                    img=random.randint(0, 256, (*size, 3), np.uint8),
                    img_path='',
                    ori_shape=size,
                    img_shape=size,
                )
            )
            for size in sizes
        ]
    )


def model_of(task, **kwargs):
    return build(task, recognizer=TASKS[task][1](), degradation=None, **kwargs)


@pytest.mark.parametrize('task', TASKS)
def test_a_cascade_learns_from_it(task):
    data = loaded(task)
    for image, lr in zip(data['inputs'], data['lr']):
        assert lr.shape[-2:] == tuple(-(-side // 4) for side in image.shape[-2:])
    model = model_of(task)
    seen = []
    model.restorer.register_forward_hook(lambda _, args, __: seen.append(args[0]))
    check_one_iteration(model, data)
    assert len(seen) == len(PHASES)  # once for each phase
    for image, lr in zip(seen[0], data['lr']):
        height, width = lr.shape[-2:]
        assert torch.equal(image[:, :height, :width], lr.float()[[2, 1, 0]] / 255)


@pytest.mark.parametrize('task', TASKS)
def test_predictions_come_with_it(task):
    data = loaded(task)
    model = model_of(task).eval()
    for sample, lr, image in zip(model.test_step(data), data['lr'], data['inputs']):
        assert torch.equal((sample.lr * 255).round().byte()[[2, 1, 0]], lr)
        assert sample.sr.shape == sample.hr.shape == image.shape


def test_an_lr_of_another_scale_is_refused():
    data = loaded('Detector')
    data['lr'] = [lr[:, ::2] for lr in data['lr']]
    with pytest.raises(
        ConfigError, match='`lr` of 7×16 pixels with an image of 50×64; with model.scale 4 it must have 13×16'
    ):
        model_of('Detector').test_step(data)


def test_augmented_batches_are_refused_as_their_lr_would_not_follow():
    recognizer = faster_rcnn()
    recognizer.data_preprocessor.batch_augments = [
        dict(type='BatchSyncRandomResize', random_size_range=(64, 96), size_divisor=32)
    ]
    model = build('Detector', recognizer=recognizer, degradation=None)
    with pytest.raises(ConfigError, match='batch_augments change the images of a batch, but not the `lr`'):
        check_one_iteration(model, loaded('Detector'))
