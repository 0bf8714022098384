"""The contract of a loss term, and the simple terms."""

from typing import Dict, Mapping, Optional, Tuple, Type, Union

from torch import Tensor, nn

from sr4ir_mm.errors import ConfigError, check_choice
from sr4ir_mm.models.batch import Batch, blend
from sr4ir_mm.models.weights import build
from sr4ir_mm.registry import MODELS


class LossTerm(nn.Module):
    """One term that the phases of a training can weigh.

    A new term is a subclass, registered in ``MODELS``: ``model.losses.<term>=dict(type=…)``, and the term's name in a
    phase.

    Attributes:
        teaches: The parts that can learn from it.
        needs: The parts without which it cannot be computed. It asks :meth:`Batch.field` for what it needs of
            the batch.
    """

    teaches: Tuple[str, ...] = ('restorer',)
    needs: Tuple[str, ...] = ()

    def check(self, cascade: nn.Module) -> None:
        """Refuse a cascade for which the term cannot be computed; called for the terms that a training uses.

        Raises:
            ConfigError: What to set.
        """

    def forward(self, cascade: nn.Module, batch: Batch) -> Tensor:
        """Compute the unweighted loss, a scalar.

        Args:
            cascade: The model, in the modes of the phase: parts that the phase does not update ask for no gradient.
            batch: The images ``lr``, ``sr`` and ``hr``, RGB in [0, 1], (N, 3, H, W), and the samples.
        """
        raise NotImplementedError


@MODELS.register_module()
class ImageLoss(LossTerm):
    """Compare ``sr`` with ``hr``, values in [0, 1].

    Args:
        loss: A module (input, target) -> scalar, or its config. Default: the mean absolute difference.
    """

    def __init__(self, loss: Optional[nn.Module] = None) -> None:
        super().__init__()
        self.loss = nn.L1Loss() if loss is None else loss

    def forward(self, cascade: nn.Module, batch: Batch) -> Tensor:
        return self.loss(batch.sr, batch.hr)


class _TaskLoss(LossTerm):
    """The recognizer's own loss on some image."""

    needs = ('recognizer',)

    def forward(self, cascade: nn.Module, batch: Batch) -> Tensor:
        return cascade.parse_losses(cascade.task.loss(self.image(batch), batch))[0]

    def image(self, batch: Batch) -> Tensor:
        """Return the images that the recognizer sees."""
        raise NotImplementedError


@MODELS.register_module()
class TaskLossSR(_TaskLoss):
    """The recognizer's own loss on ``sr``."""

    teaches = ('restorer', 'recognizer')

    def image(self, batch: Batch) -> Tensor:
        return batch.sr


@MODELS.register_module()
class TaskLossHR(_TaskLoss):
    """The recognizer's own loss on ``hr``."""

    teaches = ('recognizer',)

    def image(self, batch: Batch) -> Tensor:
        return batch.hr


@MODELS.register_module()
class TaskLossCQMix(_TaskLoss):
    """The recognizer's own loss on SR4IR's patchwork of ``sr`` and ``hr``, for which the data set packs a grid."""

    teaches = ('restorer', 'recognizer')

    def image(self, batch: Batch) -> Tensor:
        hint = "append dict(type='sr4ir_mm.CQMix') to the pipeline, after the packing transform"
        return blend(batch.sr, batch.hr, batch.field('cqmix_grid', hint))


def check_needs(term: str, loss: LossTerm, cascade: nn.Module) -> None:
    """Refuse a term for which the cascade lacks a part.

    Raises:
        ConfigError: Which one.
    """
    for part in loss.needs:
        if part not in cascade.parts:
            key = f'model.{part}' if part in ('restorer', 'recognizer') else f'model.parts.{part}'
            raise ConfigError(f'A phase has the loss `{term}`, which needs {key}, but that is not set.')
    loss.check(cascade)


#: the configs of terms that need none in ``model.losses``, or only part of one
DEFAULTS = dict(
    pixel=dict(type='sr4ir_mm.ImageLoss'),
    tdp=dict(type='sr4ir_mm.TDPLoss'),
    contrastive=dict(type='sr4ir_mm.ContrastiveLoss'),
    embedding=dict(type='sr4ir_mm.EmbeddingLoss'),
    task_sr=dict(type='sr4ir_mm.TaskLossSR'),
    task_hr=dict(type='sr4ir_mm.TaskLossHR'),
    task_cqmix=dict(type='sr4ir_mm.TaskLossCQMix'),
)
#: those that are there only if the config names them
_NAMED = ('tdp',)


def build_losses(cfgs: Mapping[str, Union[nn.Module, dict]]) -> nn.ModuleDict:
    """Build the loss terms of a cascade.

    Args:
        cfgs: By name, the config of a :class:`LossTerm`, or of any module (input, target) -> scalar, which then
            compares ``sr`` with ``hr``, for example ``dict(type='torch.nn.MSELoss')``. The names ``pixel``, ``tdp``,
            ``contrastive``, ``embedding``, ``task_sr``, ``task_hr`` and ``task_cqmix`` have default types. None: no
            such term.

    Returns:
        The terms by name.
    """
    losses = nn.ModuleDict()
    for name in dict.fromkeys([*DEFAULTS, *cfgs]):
        cfg = cfgs.get(name, {} if name not in _NAMED else None)
        if cfg is None:
            continue
        if isinstance(cfg, dict):
            cfg = dict(DEFAULTS.get(name, {}), **cfg) if 'type' not in cfg else cfg
        loss = build(cfg, f'model.losses.{name}')
        losses[name] = loss if isinstance(loss, LossTerm) else ImageLoss(loss)
    return losses


def loss_type(name: str, cfgs: Dict[str, dict]) -> Type[LossTerm]:
    """Return the class of a term without building it: what it teaches and needs.

    Args:
        name: The name of the term.
        cfgs: ``model.losses`` of a config.

    Raises:
        ConfigError: There is no such term.
    """
    check_choice(name, [*DEFAULTS, *cfgs], 'a loss term')
    kind = MODELS.get((cfgs.get(name) or {}).get('type') or DEFAULTS[name]['type'])
    return kind if isinstance(kind, type) and issubclass(kind, LossTerm) else ImageLoss
