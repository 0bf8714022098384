"""Loss terms: what a phase of the training can weigh."""

from .base import ImageLoss, LossTerm, TaskLossCQMix, TaskLossHR, TaskLossSR, build_losses, check_needs, loss_type
from .contrastive_loss import ContrastiveLoss, EmbeddingLoss
from .tdp_loss import TDPLoss

__all__ = [
    'ContrastiveLoss',
    'EmbeddingLoss',
    'ImageLoss',
    'LossTerm',
    'TDPLoss',
    'TaskLossCQMix',
    'TaskLossHR',
    'TaskLossSR',
    'build_losses',
    'check_needs',
    'loss_type',
]
