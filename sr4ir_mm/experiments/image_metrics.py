"""The one table that says which metrics compare images and not predictions. It imports nothing: tools start fast."""

from typing import NamedTuple, Union


class ImageMetric(NamedTuple):
    """Unit and direction of an image metric."""

    unit: str  #: empty where it has none
    higher_is_better: bool

    def __str__(self) -> str:
        direction = f'{"higher" if self.higher_is_better else "lower"} is better'
        return f'{self.unit}, {direction}' if self.unit else direction


#: by name; all others are of the task. A plug-in adds its own: ``IMAGE_METRICS['DISTS'] = ImageMetric('', False)``
IMAGE_METRICS = {
    'PSNR': ImageMetric('dB', higher_is_better=True),
    'SSIM': ImageMetric('', higher_is_better=True),
    'LPIPS': ImageMetric('', higher_is_better=False),
    'NIQE': ImageMetric('', higher_is_better=False),
}


def metric_name(metric: Union[str, type, dict]) -> str:
    """Return the name of a metric as the table has it.

    Args:
        metric: The name of a figure (``PSNR``, ``Set5/PSNR``), the ``type`` of a metric in a config (``sr4ir_mm.PSNR``,
            or the class), or its whole config.
    """
    kind = metric['type'] if isinstance(metric, dict) else metric
    name = kind if isinstance(kind, str) else kind.__name__
    return name.replace('.', '/').split('/')[-1]


def is_image_metric(metric: Union[str, type, dict]) -> bool:
    """Tell whether a metric compares images; see :func:`metric_name` for what it may be given as."""
    return metric_name(metric) in IMAGE_METRICS


def axis_label(metric: str) -> str:
    """Return the name of a figure with its unit, for a plot."""
    unit = IMAGE_METRICS[metric_name(metric)].unit if is_image_metric(metric) else ''
    return f'{metric} ({unit})' if unit else metric
