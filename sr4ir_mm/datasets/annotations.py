"""Tell in which pixels the annotations of a data set are counted, for those who draw them."""

from typing import Iterator


def annotations_follow_image(dataset) -> bool:
    """Tell whether boxes and masks were resized, cropped and flipped together with their image.

    A transform changes what is loaded when it runs. mmdet's training pipelines load annotations first, and boxes then
    belong to the image that is packed. Its test pipelines load them after ``Resize``, and boxes stay in pixels of the
    original image, where predictions are compared with them.

    Args:
        dataset: A built data set of any library, or a wrapper around one or several; of several the first counts.
    """
    resized = False
    for transform in _transforms(dataset):
        name = type(transform).__name__
        if 'Annotations' in name:
            return not resized
        resized = resized or 'Resize' in name or 'Crop' in name
    return True


def _transforms(dataset) -> Iterator:
    while not hasattr(dataset, 'pipeline'):
        inner = getattr(dataset, 'dataset', None) or next(iter(getattr(dataset, 'datasets', ())), None)
        if inner is None:
            return
        dataset = inner
    yield from _flat(dataset.pipeline)


def _flat(transform) -> Iterator:
    """Go through a transform and all that it holds, as mmcv's wrappers and :class:`~sr4ir_mm.datasets.Cached` do."""
    inner = getattr(transform, 'transforms', None)
    if inner is None:
        yield transform
        return
    for each in [inner] if hasattr(inner, 'transforms') else inner:
        yield from _flat(each)
