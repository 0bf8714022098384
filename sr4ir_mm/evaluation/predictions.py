"""Predictions of a run for each test image, as a file, and a figure of any sample of the images from it.

The arrays of a file are named ``<kind>:<figure>:<field>``, for images in the order of ``images``:

- ``mean``: ``values``; the figure is their mean over the images.
- ``areas``: ``intersect`` and ``union`` of each class, in pixels; the figure is mIoU.
- ``boxes``: detections (``dt_image``, ``dt_box``, ``dt_score``, ``dt_label``), annotations (``gt_image``, ``gt_box``,
  ``gt_label``, ``gt_ignore``) and ``iou_thresholds``; the figure is COCO's AP. Boxes are x, y, width, height in pixels.
- ``labels``: ``predicted``, ``label`` and the ``score`` of the label, of a classifier; no figure comes from them.
"""

import contextlib
import io
from pathlib import Path
from typing import Dict, List, Optional, Tuple, Union

import numpy as np

from sr4ir_mm.utils.files import write_at_once

#: beside the record of a run: of its test images, and of its validation images
FILE_NAMES = dict(metrics='predictions.npz', val_metrics='val_predictions.npz')


def save_predictions(path: Union[str, Path], arrays: Dict[str, np.ndarray]) -> None:
    """Write the arrays, compressed; a reader never has half of them."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    write_at_once(path, buffer.getbuffer())


class Predictions:
    """The predictions of one run.

    Args:
        path: A file of :func:`save_predictions`.
    """

    def __init__(self, path: Union[str, Path]) -> None:
        with np.load(path, allow_pickle=False) as file:
            self._arrays = {name: file[name] for name in file.files}
        self.images: List[str] = self._arrays.pop('images').tolist()

    def figure(self, name: str, weights: Optional[np.ndarray] = None) -> Optional[np.ndarray]:
        """Return a figure of samples of the images, or None where the file does not have what it takes.

        Args:
            name: As the run's metrics call it, for example ``coco/bbox_mAP``.
            weights: How often each image is in each sample, shape (samples, images); None: once, in one sample.

        Returns:
            One number for each sample, in the unit of the metric.
        """
        if weights is None:
            weights = np.ones((1, len(self.images)), int)
        for kind, compute in (('mean', _mean), ('areas', _miou), ('boxes', _average_precision)):
            prefix = f'{kind}:{name}:'
            fields = {key[len(prefix) :]: array for key, array in self._arrays.items() if key.startswith(prefix)}
            if fields:
                return compute(weights, **fields)
        return None


def _mean(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Mean over images; infinite values, the PSNR of equal images, are left out unless there are no others."""
    known = ~np.isnan(values)  # a figure of one benchmark is NaN for the images of another
    weights, values = weights[:, known], values[known]
    finite = np.isfinite(values)
    if not finite.any():
        return np.full(len(weights), values.mean() if len(values) else np.nan)
    return weights[:, finite] @ values[finite] / np.maximum(weights[:, finite].sum(axis=1), 1)


def _miou(weights: np.ndarray, intersect: np.ndarray, union: np.ndarray) -> np.ndarray:
    """Mean IoU in percent over the classes that a sample has."""
    with np.errstate(invalid='ignore'):
        iou = (weights @ intersect.astype(float)) / (weights @ union.astype(float))
    return np.nanmean(iou, axis=1) * 100


def _average_precision(weights: np.ndarray, iou_thresholds: np.ndarray, **arrays: np.ndarray) -> np.ndarray:
    """COCO's AP, 0 to 1. pycocotools matches once; a sample then weighs what was matched in each image."""
    classes = _match(weights.shape[1], iou_thresholds, arrays)
    values = np.zeros((len(weights), 2))  # sum of APs, number of classes that the sample has
    for scored, annotated in classes:
        for sample, weight in enumerate(weights):
            positives = weight @ annotated
            if positives:
                values[sample] += _ap_of_class(weight, scored, positives), 1
    with np.errstate(invalid='ignore'):
        return values[:, 0] / values[:, 1]


Matches = Tuple[np.ndarray, np.ndarray, np.ndarray]


def _match(images: int, iou_thresholds: np.ndarray, arrays: Dict[str, np.ndarray]) -> List[Tuple[Matches, np.ndarray]]:
    """Match detections and annotations of each class.

    Returns:
        For each class its detections by falling score, as their images (D), whether they are right and whether they
        are wrong (both (thresholds, D); an ignored one is neither), and the number of annotations in each image.
    """
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    labels = np.unique(arrays['gt_label']).tolist()
    truth, found = COCO(), COCO()
    for coco, kind in ((truth, 'gt'), (found, 'dt')):
        box = arrays[f'{kind}_box'].astype(float)
        entries = [
            dict(
                id=index + 1,
                image_id=int(image),
                category_id=int(label),
                bbox=box[index].tolist(),
                area=float(box[index, 2] * box[index, 3]),
                iscrowd=0,
            )
            for index, (image, label) in enumerate(zip(arrays[f'{kind}_image'], arrays[f'{kind}_label']))
        ]
        extra = dict(score=arrays['dt_score']) if kind == 'dt' else dict(iscrowd=arrays['gt_ignore'])
        for key, values in extra.items():
            for entry, value in zip(entries, values.tolist()):
                entry[key] = value
        coco.dataset = dict(
            images=[dict(id=image) for image in range(images)],
            annotations=entries,
            categories=[dict(id=label) for label in labels],
        )
        with contextlib.redirect_stdout(io.StringIO()):  # it prints how far it is
            coco.createIndex()
    evaluation = COCOeval(truth, found, 'bbox')
    evaluation.params.imgIds, evaluation.params.catIds = list(range(images)), labels
    evaluation.params.iouThrs = iou_thresholds
    evaluation.params.areaRng, evaluation.params.areaRngLbl = evaluation.params.areaRng[:1], ['all']
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation.evaluate()
    return [_matches(evaluation.evalImgs[place * images : (place + 1) * images]) for place in range(len(labels))]


def _matches(results: List[Optional[dict]]) -> Tuple[Matches, np.ndarray]:
    annotated = np.array([np.count_nonzero(result['gtIgnore'] == 0) if result else 0 for result in results])
    found = [(image, result) for image, result in enumerate(results) if result]
    if not found:  # all of its annotations are ignored and nothing was found
        return (np.zeros(0, int), np.zeros((1, 0), bool), np.zeros((1, 0), bool)), annotated
    image = np.concatenate([np.full(len(result['dtScores']), index) for index, result in found])
    order = np.argsort(-np.concatenate([result['dtScores'] for _, result in found]), kind='mergesort')
    matched = np.concatenate([result['dtMatches'] for _, result in found], axis=1)[:, order] > 0
    ignored = np.concatenate([result['dtIgnore'] for _, result in found], axis=1)[:, order].astype(bool)
    return (image[order], matched & ~ignored, ~matched & ~ignored), annotated


def _ap_of_class(weight: np.ndarray, scored: Matches, positives: float) -> float:
    """Precision at 101 recalls, as COCO has it, mean over them and the thresholds."""
    image, right, wrong = scored
    times = weight[image]
    right, wrong = np.cumsum(right * times, axis=1), np.cumsum(wrong * times, axis=1)
    precision = right / (right + wrong + np.spacing(1))
    precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    total, recalls = 0.0, np.linspace(0, 1, 101)
    for row, recall in zip(precision, right / positives):
        places = np.searchsorted(recall, recalls, side='left')
        total += row[places[places < len(row)]].sum()
    return total / (len(recalls) * len(precision))


def same_images(runs: List[Predictions]) -> bool:
    """Tell whether runs predicted the same images in the same order, without which nothing is paired."""
    return all(run.images == runs[0].images for run in runs)
