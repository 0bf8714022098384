"""One file for each task: all that it knows of labels, predictions and pictures."""

from .base import Task
from .classification import ClassificationTask
from .detection import DetectionTask
from .segmentation import SegmentationTask

__all__ = ['ClassificationTask', 'DetectionTask', 'SegmentationTask', 'Task']
