"""Parts: a frozen teacher, and a critic with a phase of its own, with the terms that use them."""

import torch
import torch.nn.functional as F
from torch import nn

from sr4ir_mm.models import LossTerm
from sr4ir_mm.registry import MODELS


@MODELS.register_module()
class Critic(nn.Sequential):
    """A number for each patch of an image."""

    def __init__(self) -> None:
        super().__init__(nn.Conv2d(3, 4, 4, 4), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 1, 1))


@MODELS.register_module()
class TeacherDistance(LossTerm):
    """Distance of ``sr`` and ``hr`` in the features of the part ``teacher``."""

    needs = ('teacher',)

    def forward(self, cascade, batch):
        teacher = cascade.parts['teacher']
        with torch.no_grad():
            wanted = batch.once('teacher_hr', lambda: teacher(batch.hr))
        return F.l1_loss(teacher(batch.sr), wanted)


@MODELS.register_module()
class Fool(LossTerm):
    """How well the restorer passes for clean with the part ``critic``."""

    needs = ('critic',)

    def forward(self, cascade, batch):
        return F.softplus(-cascade.parts['critic'](batch.sr)).mean()


@MODELS.register_module()
class Judge(LossTerm):
    """How badly the part ``critic`` tells ``hr`` from ``sr``."""

    teaches = ('critic',)
    needs = ('critic',)

    def forward(self, cascade, batch):
        critic = cascade.parts['critic']
        return (F.softplus(critic(batch.sr.detach())) + F.softplus(-critic(batch.hr))).mean()
