"""Backbones that the host libraries lack."""

from .torchvision_backbone import TorchvisionBackbone

__all__ = ['TorchvisionBackbone']
