"""A loss term: total variation of what the restorer makes."""

from sr4ir_mm.models import LossTerm
from sr4ir_mm.registry import MODELS


@MODELS.register_module()
class TotalVariation(LossTerm):
    """Mean absolute difference of neighbors in ``sr``."""

    def forward(self, cascade, batch):
        sr = batch.sr
        return (sr[..., 1:, :] - sr[..., :-1, :]).abs().mean() + (sr[..., 1:] - sr[..., :-1]).abs().mean()
