from .tdp_loss import TDPLoss

__all__ = ['TDPLoss']
