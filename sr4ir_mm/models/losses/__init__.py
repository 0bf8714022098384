from .contrastive_loss import ContrastiveLoss
from .tdp_loss import TDPLoss

__all__ = ['ContrastiveLoss', 'TDPLoss']
