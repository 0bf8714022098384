"""VOC's boxes as published, by the rules of https://github.com/JaehaKim97/SR4IR, preprocess/voc2coco."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.registry import DATASETS, init_default_scope
from PIL import Image

ROOT = Path(__file__).parents[2]
OBJECTS = [('dog', 0, (1, 1, 40, 30)), ('cat', 1, (11, '5.5', '20.7', 10)), ('cat', 0, (2, 3, 12, 23))]
# left and top count from 0, right and bottom are where the last pixel ends, fractions are cut off
BOXES = [[0, 0, 40, 30], [10, 4, 20, 10], [1, 2, 12, 23]]
DOG, CAT = 11, 7  # in VOC's list of classes
EXPECTED = [(box, label, 0) for box, label in zip(BOXES, [DOG, CAT, CAT])]


def summary(instances):
    return [(one['bbox'], one['bbox_label'], one['ignore_flag']) for one in instances]


@pytest.fixture
def voc(tmp_path):
    """One image with three objects, one of them difficult, in the folders that the shipped config names."""
    init_default_scope('mmdet')
    root = tmp_path / 'VOCdevkit/VOC2012'
    for folder in ('JPEGImages', 'Annotations', 'ImageSets/Main'):
        (root / folder).mkdir(parents=True)
    Image.fromarray(np.zeros((30, 40, 3), np.uint8)).save(root / 'JPEGImages/a.jpg')
    text = ''.join(
        f'<object><name>{name}</name><difficult>{difficult}</difficult><bndbox>'
        + ''.join(f'<{key}>{value}</{key}>' for key, value in zip(('xmin', 'ymin', 'xmax', 'ymax'), box))
        + '</bndbox></object>'
        for name, difficult, box in OBJECTS
    )
    (root / 'Annotations/a.xml').write_text(
        f'<annotation><size><width>40</width><height>30</height></size>{text}</annotation>'
    )
    for split in ('train', 'val'):
        (root / f'ImageSets/Main/{split}.txt').write_text('a\n')
    return root


def recipe(voc, split, **changes):
    """The data set of the shipped detection recipe on that image."""
    cfg = Config.fromfile(ROOT / 'configs/sr4ir/faster-rcnn_edsr_x4_voc.py')
    dataset = cfg[f'{split}_dataloader'].dataset
    dataset.update(data_root=f'{voc.parent}/', **changes)
    return cfg, DATASETS.build(dataset)


@pytest.mark.parametrize('split', ['train', 'val'])
def test_the_recipe_keeps_every_object_and_its_whole_box(voc, split):
    found = recipe(voc, split)[1].get_data_info(0)['instances']
    assert summary(found) == EXPECTED
    # what it differs from
    mmdet = recipe(voc, split, type='mmdet.VOCDataset')[1].get_data_info(0)['instances']
    assert [one['ignore_flag'] for one in mmdet] == [0, 1, 0] and mmdet[0]['bbox'] == [0, 0, 39, 29]


def test_difficult_objects_are_learned_from(voc):
    torch.manual_seed(1)
    sample = recipe(voc, 'train')[1][0]['data_samples']
    assert len(sample.gt_instances) == 3 and len(sample.ignored_instances) == 0
    sizes = sample.gt_instances.bboxes.tensor
    assert torch.equal(sizes[:, 2:] - sizes[:, :2], torch.tensor([[40.0, 30], [10, 6], [11, 21]]))


def test_missing_a_difficult_object_costs_precision(voc):
    """COCO's average precision when all objects but the difficult one are found, and when all are."""
    cfg, dataset = recipe(voc, 'val')

    def precision(kept):
        evaluator = Evaluator([cfg.val_evaluator[0]])
        evaluator.dataset_meta = dataset.metainfo
        sample = dataset[0]['data_samples']
        found = dict(
            bboxes=torch.tensor(BOXES)[kept].float(),
            labels=torch.tensor([DOG, CAT, CAT])[kept],
            scores=torch.ones(len(kept)),
        )
        sample.pred_instances = type(sample.gt_instances)(**found)
        evaluator.process([sample])
        return evaluator.evaluate(1)['coco/bbox_mAP']

    assert precision([0, 1, 2]) == pytest.approx(1.0, abs=1e-3)
    # one of two cats: recall reaches 0.5 of it with precision 1, 51 of COCO's 101 points; mean over cat and dog
    assert precision([0, 2]) == pytest.approx((1 + 51 / 101) / 2, abs=1e-3)


def test_the_converted_file_has_the_same_boxes(voc, tool):
    tool('dataset_converters/voc_to_coco').main([str(voc)])
    dataset = DATASETS.build(
        dict(
            type='CocoDataset',
            metainfo=dict(classes=recipe(voc, 'val')[1].metainfo['classes']),
            data_root=str(voc),
            ann_file='annotations/val.json',
            data_prefix=dict(img='JPEGImages/'),
            pipeline=[],
            test_mode=True,
        )
    )
    found = dataset.get_data_info(0)['instances']
    assert summary(found) == EXPECTED


def test_boxes_below_the_smallest_size_are_ignored_as_in_mmdet(voc):
    found = recipe(voc, 'train', filter_cfg=dict(bbox_min_size=10))[1].get_data_info(0)['instances']
    assert [one['ignore_flag'] for one in found] == [0, 1, 0]  # of 40×30, 10×6 and 11×21 pixels


@pytest.mark.parametrize('stage', ['rpn', 'rcnn'])
def test_what_is_ignored_would_be_background_to_the_recipe(stage):
    """The config's comment on `ignore_iof_thr`: a difficult object marked as ignored teaches that nothing is there."""
    from mmdet.registry import TASK_UTILS
    from mmengine.structures import InstanceData

    init_default_scope('mmdet')
    cfg = Config.fromfile(ROOT / 'configs/_base_/models/faster-rcnn_mobilenetv3.py').model.recognizer.train_cfg[stage]
    box, other = torch.tensor([[0.0, 0, 40, 30]]), torch.tensor([[100.0, 100, 140, 130]])

    def assigned(**changes):
        return (
            TASK_UTILS.build(dict(cfg.assigner, **changes))
            .assign(
                InstanceData(priors=torch.cat([box, other])),
                InstanceData(bboxes=other, labels=torch.zeros(1, dtype=torch.long)),
                InstanceData(bboxes=box),
            )
            .gt_inds.tolist()
        )

    assert assigned() == [0, 1]  # 0: background
    assert assigned(ignore_iof_thr=0.5) == [-1, 1]  # -1: left out
