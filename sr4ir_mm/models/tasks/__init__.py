"""One file for each task: all that it knows of labels, predictions and pictures."""

from .classifier import CascadeClassifier
from .detector import CascadeDetector
from .restorer import CascadeRestorer
from .segmentor import CascadeSegmentor

__all__ = ['CascadeClassifier', 'CascadeDetector', 'CascadeRestorer', 'CascadeSegmentor']
