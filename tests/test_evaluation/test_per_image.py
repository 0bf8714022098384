"""What is stored for each image gives the figure of the host's metric again, on all images and on any sample."""

import copy

import numpy as np
import pytest
import torch

from sr4ir_mm.evaluation import PSNR
from sr4ir_mm.evaluation.per_image import per_image
from sr4ir_mm.evaluation.predictions import Predictions, save_predictions

CLASSES = ('cat', 'dog', 'cow')


def segmentation(rng):
    from mmseg.evaluation import IoUMetric

    metric = IoUMetric(iou_metrics=['mIoU'])
    for _ in range(6):
        label = torch.from_numpy(rng.integers(3, size=(8, 8)))
        label[0] = 255
        found = torch.where(torch.from_numpy(rng.random((8, 8))) < 0.6, label % 3, 2)
        metric.results.append(IoUMetric.intersect_and_union(found, label, 3, 255))
    return metric, 'mIoU', 0.006


def classification(rng):
    from mmpretrain.evaluation import Accuracy

    metric = Accuracy(topk=(1, 2))
    for _ in range(30):
        metric.results.append(
            dict(pred_score=torch.from_numpy(rng.random(3)), gt_label=torch.tensor([rng.integers(3)]))
        )
    return metric, 'accuracy/top2', 1e-4


def images(rng):
    metric = PSNR(border=0)
    metric.process(
        {}, [dict(sr=torch.from_numpy(rng.random((3, 8, 8))), hr=torch.full((3, 8, 8), 0.5)) for _ in range(6)]
    )
    metric.results.append((None, float('inf')))  # an image that is equal to the clean one is left out
    return metric, 'PSNR', 1e-9


def detection(rng):
    """Annotations, some to be ignored; detections near them and further away, half of them of any class.

    No two have one score: which comes first then is arbitrary.
    """
    from mmdet.evaluation import CocoMetric

    metric = CocoMetric(metric='bbox')
    for index in range(8):
        corners = rng.uniform(0, 60, (4, 2))
        boxes = np.concatenate([corners, corners + rng.uniform(10, 30, (4, 2))], axis=1)
        labels = rng.integers(3, size=4)
        found = np.concatenate([boxes + rng.uniform(-3, 3, boxes.shape), boxes + rng.uniform(-15, 15, boxes.shape)])
        found[:, 2:] = np.maximum(found[:, 2:], found[:, :2] + 1)
        truth = dict(
            width=96,
            height=96,
            img_id=index,
            anns=[
                dict(bbox=box.tolist(), bbox_label=int(label), ignore_flag=int(rng.random() < 0.2))
                for box, label in zip(boxes, labels)
            ],
        )
        prediction = dict(
            img_id=index,
            bboxes=found.astype(np.float32),
            scores=rng.random(8),
            labels=np.concatenate([labels, rng.integers(3, size=4)]),
        )
        metric.results.append((truth, prediction))
    return metric, 'coco/bbox_mAP', 6e-4


def sampled(results, sample):
    """Results of a sample with repetitions; a data set would give each repetition a name of its own."""
    results = [copy.deepcopy(results[index]) for index in sample]
    if isinstance(results[0][0] if isinstance(results[0], tuple) else None, dict):
        for index, (truth, prediction) in enumerate(results):
            truth['img_id'] = prediction['img_id'] = index
    return results


@pytest.mark.parametrize('make', [segmentation, classification, images, detection])
def test_figures_of_samples_are_those_of_the_metric(make, tmp_path):
    rng = np.random.default_rng(0)
    metric, name, tolerance = make(rng)
    metric.dataset_meta = dict(classes=CLASSES)
    results, size = list(metric.results), len(metric.results)
    arrays = per_image([metric], [f'{index}.png' for index in range(size)], size)
    assert metric.results == results  # the metric still has them
    save_predictions(tmp_path / 'predictions.npz', arrays)
    predictions = Predictions(tmp_path / 'predictions.npz')
    assert predictions.images[1] == '1.png'
    samples = [np.arange(size), *rng.integers(size, size=(3, size))]
    weights = np.array([np.bincount(sample, minlength=size) for sample in samples])
    figures = predictions.figure(name, weights)
    for sample, figure in zip(samples, figures):
        again = make(np.random.default_rng(0))[0]
        again.dataset_meta = metric.dataset_meta
        again.results = sampled(results, sample)
        assert again.evaluate(size)[name] == pytest.approx(figure, abs=tolerance)
    assert len(set(figures.round(6))) > 2, 'the samples differ'
    assert predictions.figure(name) == pytest.approx(figures[:1])
    assert predictions.figure('no such figure') is None


def test_detection_with_an_annotation_file(tmp_path):
    """Ground truth of a COCO file, whose categories have numbers of their own."""
    import json

    from mmdet.evaluation import CocoMetric

    file = tmp_path / 'annotations.json'
    file.write_text(
        json.dumps(
            dict(
                images=[dict(id=7, width=64, height=64), dict(id=9, width=64, height=64)],
                categories=[dict(id=17, name='cat'), dict(id=18, name='dog')],
                annotations=[
                    dict(id=index, image_id=image, category_id=category, bbox=[4, 4, 30, 30], area=900, iscrowd=0)
                    for index, (image, category) in enumerate([(7, 17), (9, 18)], 1)
                ],
            )
        )
    )
    metric = CocoMetric(ann_file=str(file), metric='bbox')
    metric.dataset_meta = dict(classes=('cat', 'dog'))
    box = np.array([[4, 4, 34, 34]], np.float32)
    # the cat is found, the dog is taken for a cat
    metric.results = [
        (
            dict(width=64, height=64, img_id=image),
            dict(img_id=image, bboxes=box, scores=np.array([score]), labels=np.array([0])),
        )
        for image, score in ((7, 0.9), (9, 0.8))
    ]
    save_predictions(tmp_path / 'predictions.npz', per_image([metric], ['a', 'b'], 2))
    assert Predictions(tmp_path / 'predictions.npz').figure('coco/bbox_mAP') == pytest.approx([0.5])
    assert metric.evaluate(2)['coco/bbox_mAP'] == pytest.approx(0.5)


def test_what_is_no_metric_of_images_is_left_out():
    from mmpretrain.evaluation import SingleLabelMetric

    assert per_image([SingleLabelMetric()], [], 0) == {}


def test_a_run_stores_its_predictions(voc_cfg, tmp_path):
    """After a validation and after a test; the figures are those of the record."""
    import json

    from mmengine.config import Config
    from mmengine.runner import Runner

    record = tmp_path / 'run/record.json'
    cfg = Config(dict(voc_cfg, custom_hooks=[dict(type='sr4ir_mm.RunRecordHook', out_file=str(record))]))
    runner = Runner.from_cfg(cfg)
    for step in (runner.train, runner.test):
        step()
        predictions = Predictions(record.with_name('predictions.npz'))
        metrics = json.loads(record.read_text())['metrics']
        assert predictions.images == ['JPEGImages/000004.jpg', 'JPEGImages/000005.jpg']
        assert predictions.figure('mIoU') == pytest.approx([metrics['mIoU']], abs=0.006)
        assert predictions.figure('PSNR') == pytest.approx([metrics['PSNR']])
        record.with_name('predictions.npz').unlink()
