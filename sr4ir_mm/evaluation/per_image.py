"""Predictions for each image, taken from the metrics of the host libraries before they forget it."""

from typing import Dict, List, Sequence

import numpy as np
import torch
from mmengine.dist import collect_results
from mmengine.evaluator import BaseMetric


def per_image(metrics: Sequence[BaseMetric], images: Sequence[str], size: int) -> Dict[str, np.ndarray]:
    """Turn what metrics have collected into the arrays of :mod:`sr4ir_mm.evaluation.predictions`.

    To be called in all processes, after the last batch and before the metrics are evaluated.

    Args:
        metrics: Image metrics, mmseg's IoUMetric, mmdet's CocoMetric and mmpretrain's Accuracy are read, no others.
        images: Names of the images of this process.
        size: Number of images of the data set.

    Returns:
        The arrays; empty in all processes but the first.
    """
    names = collect_results(list(images), size, 'cpu')
    arrays = {}
    for metric in metrics:
        reader = next((_READERS[base.__name__] for base in type(metric).__mro__ if base.__name__ in _READERS), None)
        if reader is None:
            continue
        results = collect_results(metric.results, size, metric.collect_device)
        if results is not None and len(results) == len(names):
            prefix = f'{metric.prefix}/' if metric.prefix else ''
            for key, array in reader(metric, results).items():
                kind, figure, field = key
                arrays[f'{kind}:{prefix}{figure}:{field}'] = array
    return dict(arrays, images=np.array(names)) if arrays else {}


def _each(metric: BaseMetric, results: list) -> dict:
    """The figures of each image alone, for metrics that are means over images."""
    found = [metric.compute_metrics([result]) for result in results]
    return {
        ('mean', name, 'values'): np.array([float(each.get(name, np.nan)) for each in found])
        for name in dict.fromkeys(name for each in found for name in each)
    }


def _accuracy(metric: BaseMetric, results: list) -> dict:
    arrays = _each(metric, results)
    if 'pred_score' in results[0]:
        scores = torch.stack([result['pred_score'] for result in results]).float().cpu()
        labels = torch.cat([result['gt_label'] for result in results]).cpu()
        arrays.update(
            {
                ('labels', 'classes', name): array.numpy()
                for name, array in dict(
                    predicted=scores.argmax(1).short(),
                    label=labels.short(),
                    score=scores[range(len(labels)), labels].half(),
                ).items()
            }
        )
    return arrays


def _areas(metric: BaseMetric, results: list) -> dict:
    if 'mIoU' not in metric.metrics:
        return {}
    intersect, union = (torch.stack([result[place] for result in results]).cpu().numpy() for place in (0, 1))
    return {
        ('areas', 'mIoU', 'intersect'): intersect.astype(np.int32),
        ('areas', 'mIoU', 'union'): union.astype(np.int32),
    }


def _boxes(metric: BaseMetric, results: list) -> dict:
    if 'bbox' not in metric.metrics:
        return {}
    found = [prediction for _, prediction in results]
    arrays = dict(
        dt_image=np.repeat(np.arange(len(found), dtype=np.int32), [len(each['scores']) for each in found]),
        dt_box=_to_xywh(np.concatenate([each['bboxes'] for each in found])),
        dt_score=np.concatenate([each['scores'] for each in found]),
        dt_label=np.concatenate([each['labels'] for each in found]).astype(np.int16),
    )
    truth = _annotations(metric, [truth for truth, _ in results])
    arrays['gt_image'] = np.repeat(np.arange(len(truth), dtype=np.int32), [len(each) for each in truth])
    flat = [annotation for each in truth for annotation in each]
    arrays['gt_box'] = np.array([box for box, _, _ in flat], np.float32).reshape(-1, 4)
    arrays['gt_label'] = np.array([label for _, label, _ in flat], np.int16)
    arrays['gt_ignore'] = np.array([ignore for _, _, ignore in flat], np.int8)
    arrays['iou_thresholds'] = np.asarray(metric.iou_thrs)
    return {('boxes', 'bbox_mAP', name): array for name, array in arrays.items()}


def _annotations(metric: BaseMetric, truth: Sequence[dict]) -> List[list]:
    """Box (x, y, width, height), label and whether it is ignored, of each annotation of each image."""
    coco = metric._coco_api
    if coco is None:  # the metric makes its ground truth from the samples
        return [
            [
                (_to_xywh(np.array([each['bbox']]))[0], each['bbox_label'], each.get('ignore_flag', 0))
                for each in image['anns']
            ]
            for image in truth
        ]
    categories = metric.cat_ids or coco.get_cat_ids(cat_names=metric.dataset_meta['classes'])
    return [
        [
            (each['bbox'], categories.index(each['category_id']), each.get('iscrowd', 0))
            for each in coco.load_anns(coco.get_ann_ids(img_ids=[image['img_id']]))
            if each['category_id'] in categories
        ]
        for image in truth
    ]


def _to_xywh(boxes: np.ndarray) -> np.ndarray:
    return np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1).astype(np.float32)


#: by the name of a class or of one that it derives from: to import the host libraries for it would take seconds
_READERS = dict(RestorationMetric=_each, Accuracy=_accuracy, IoUMetric=_areas, CocoMetric=_boxes)
