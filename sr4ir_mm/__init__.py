"""Restoration in front of recognition, trained so that the restored image serves the recognizer."""

from .version import __version__

__all__ = ['__version__']
