"""Annotated boxes lie on what they annotate, whatever the pipeline has done to the image before or after."""

import json

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import ConcatDataset, RepeatDataset
from mmengine.registry import init_default_scope
from mmengine.utils import get_installed_path

from sr4ir_mm.datasets import annotations_follow_image
from sr4ir_mm.registry import DATASETS
from tests.helpers.one_iteration import build
from tests.test_models.test_detector import faster_rcnn

STANDARD = Config.fromfile(f'{get_installed_path("mmdet")}/.mim/configs/_base_/datasets/coco_detection.py')


@pytest.fixture
def squares(tmp_path):
    """Images of 200×300 pixels with a red rectangle in green, annotated as COCO has it."""
    (tmp_path / 'images').mkdir()
    coco = dict(images=[], annotations=[], categories=[dict(id=1, name='square')])
    for index, (x, y, w, h) in enumerate([(30, 20, 60, 80), (200, 100, 50, 70)]):
        image = np.zeros((200, 300, 3), np.uint8)
        image[..., 1] = 200
        image[y : y + h, x : x + w] = 0, 0, 255
        cv2.imwrite(str(tmp_path / f'images/{index}.png'), image)
        coco['images'].append(dict(id=index, file_name=f'{index}.png', height=200, width=300))
        coco['annotations'].append(
            dict(id=index, image_id=index, category_id=1, bbox=[x, y, w, h], area=w * h, iscrowd=0)
        )
    (tmp_path / 'coco.json').write_text(json.dumps(coco))

    def dataset(pipeline):
        init_default_scope('mmdet')
        return DATASETS.build(
            dict(
                type='mmdet.CocoDataset',
                metainfo=dict(classes=('square',), palette=[(255, 0, 0)]),
                data_root=str(tmp_path),
                ann_file='coco.json',
                data_prefix=dict(img='images/'),
                pipeline=pipeline,
            )
        )

    return dataset


def standard(kind):
    """mmdet's own pipeline, with a smaller scale that changes the size of our images all the same."""
    pipeline = [dict(transform) for transform in STANDARD[f'{kind}_pipeline']]
    for transform in pipeline:
        if transform['type'] == 'Resize':
            transform['scale'] = (150, 100)
        if transform['type'] == 'RandomFlip':
            transform['prob'] = 1.0
    return pipeline


def crop_first():
    load, annotations, *_, pack = standard('train')
    return [load, annotations, dict(type='RandomCrop', crop_size=(180, 280)), pack]


PIPELINES = dict(
    train=lambda: standard('train'),
    test=lambda: standard('test'),
    test_annotations_first=lambda: [standard('test')[index] for index in (0, 2, 1, 3)],
    crop=crop_first,
)


@pytest.mark.parametrize('name', PIPELINES)
def test_a_box_is_drawn_around_its_object(squares, name, tool, monkeypatch):
    dataset = squares(PIPELINES[name]())
    cascade = build('Detector', recognizer=faster_rcnn(), losses={}).eval()
    drawn = []

    def draw(visualizer, image, sample, **kwargs):
        drawn.append((image, sample.gt_instances.bboxes))
        return image

    monkeypatch.setattr(cascade.task, 'draw', draw)
    browse = tool('browse_dataset')
    for index in range(len(dataset)):
        browse.pictures_of(browse.drawer_of(cascade, dataset, dict(type='DetLocalVisualizer')), dataset[index])
    assert len(drawn) == len(dataset) == 2
    for image, boxes in drawn:
        rows, columns = np.nonzero((image[..., 0] > 128) & (image[..., 1] < 100))
        around = torch.tensor([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
        zoom = image.shape[0] / 100
        assert (
            len(boxes) == 1 and (torch.as_tensor(getattr(boxes, 'tensor', boxes))[0] - around).abs().max() <= zoom + 1
        )


def test_which_image_annotations_belong_to(squares):
    training, test = squares(standard('train')), squares(standard('test'))
    assert annotations_follow_image(training) and not annotations_follow_image(test)
    assert not annotations_follow_image(RepeatDataset(test, 2))
    assert not annotations_follow_image(ConcatDataset([test, training]))
    cached = dict(type='sr4ir_mm.Cached', transforms=standard('train')[:2])
    assert annotations_follow_image(squares([cached, *standard('train')[2:]]))
    cached = dict(type='sr4ir_mm.Cached', transforms=standard('test')[:3])
    assert not annotations_follow_image(squares([cached, standard('test')[3]]))
