"""The phases of an iteration: a table, each row a set of losses and of the parts that they update."""

import logging
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Dict, Iterator, List, Sequence, Tuple

from mmengine.logging import print_log
from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from sr4ir_mm.errors import ConfigError, check_choice


@dataclass(frozen=True)
class Loss:
    """One loss term of a phase.

    Attributes:
        term: Its name; ``Cascade.loss_<term>`` computes it.
        weight: Its factor.
        begin: The first epoch (iteration, in an iteration-based loop) that uses it, counted from 0.
        log_name: The name it is logged by.
    """

    term: str
    weight: float = 1.0
    begin: int = 0
    log_name: str = ''


@dataclass(frozen=True)
class Phase:
    """One optimizer step: these losses update these parts.

    Attributes:
        name: As the user calls it.
        update: The parts of the cascade that learn; all others are frozen and in eval mode.
        losses: What they learn from.
        train_mode: Frozen parts that run in train mode nevertheless, see :func:`only_training`.
    """

    name: str
    update: Tuple[str, ...]
    losses: Tuple[Loss, ...]
    train_mode: Tuple[str, ...] = ()

    def at(self, progress: int) -> 'Phase':
        """The phase as it is in the given epoch (or iteration): with the losses that have begun and have a weight."""
        return replace(self, losses=tuple(loss for loss in self.losses if loss.begin <= progress and loss.weight))


def _as_tuple(value) -> tuple:
    return (value,) if isinstance(value, str) else tuple(value)


def _build_loss(term: str, cfg, key: str) -> Loss:
    """A loss is written ``pixel=1.0`` or ``tdp=dict(weight=1.0, begin=10)``."""
    cfg = dict(cfg) if isinstance(cfg, dict) else dict(weight=cfg)
    for name, value in cfg.items():
        check_choice(name, ('weight', 'begin'), f'a key of {key}')
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
            raise ConfigError(f'{key}.{name} is {value!r}; allowed: a number that is not negative.')
    return Loss(term, **cfg)


def build_phases(cfgs: Sequence[dict], cascade: nn.Module) -> List[Phase]:
    """Read ``train_cfg.phases``.

    Args:
        cfgs: One dict for each phase, with ``name``, ``update`` (a part or several), ``losses`` and, optionally,
            ``train_mode`` (a part or several).
        cascade: The model, which knows its loss terms and parts.

    Raises:
        ConfigError: A key, part or term that does not exist, a part that no loss of its phase reaches, a part in
            ``train_mode`` that is updated and so in train mode anyway.
    """
    if not cfgs:
        raise ConfigError(
            'train_cfg.phases is empty; it needs at least one phase, '
            "for example dict(name='restore', update='restorer', losses=dict(pixel=1.0))."
        )
    losses_of, parts = cascade.losses, list(cascade.trainable_parts)
    phases = []
    for index, cfg in enumerate(cfgs):
        key = f'train_cfg.phases[{index}]'
        for name in cfg:
            check_choice(name, ('name', 'update', 'losses', 'train_mode'), f'a key of {key}')
        for name in ('name', 'update', 'losses'):
            if not cfg.get(name):
                raise ConfigError(f'{key} has no `{name}`; a phase needs `name`, `update` and `losses`.')
        update = _as_tuple(cfg['update'])
        for part in update:
            check_choice(part, parts, f'{key}.update')
        train_mode = _as_tuple(cfg.get('train_mode', ()))
        for part in train_mode:
            check_choice(part, parts, f'{key}.train_mode')
            if part in update:
                raise ConfigError(
                    f"{key}.train_mode has '{part}', which {key}.update has too: what is updated is in train "
                    'mode anyway; allowed: parts that the phase does not update.'
                )
        losses = []
        for term, loss_cfg in cfg['losses'].items():
            _check_term(term, losses_of, key)
            losses.append(_build_loss(term, loss_cfg, f'{key}.losses.{term}'))
        for part in update:
            if not any(part in losses_of[loss.term].teaches for loss in losses):
                reach = [term for term, loss in losses_of.items() if part in loss.teaches]
                raise ConfigError(
                    f"{key} updates '{part}', but none of its losses "
                    f"({', '.join(cfg['losses'])}) reaches it; allowed: {', '.join(reach)}."
                )
        phases.append(Phase(cfg['name'], update, tuple(losses), train_mode))
    names = [phase.name for phase in phases]
    if len(set(names)) < len(names):
        raise ConfigError(f'train_cfg.phases has the names {names}; each must be different.')
    return _name_logs(phases)


def check_begins(phases: Sequence[Phase], length: int) -> None:
    """Compare where losses begin with the length of the training.

    A loss that never begins is told: a trial may well be too short for it. A phase of which none begins is refused.

    Args:
        phases: The phases.
        length: Epochs (or iterations) of the training.

    Raises:
        ConfigError: A phase never does anything.
    """
    for index, phase in enumerate(phases):
        late = [loss for loss in phase.losses if loss.begin >= length]
        where = [f'train_cfg.phases[{index}].losses.{loss.term}.begin is {loss.begin}' for loss in late]
        if where and not phase.at(length - 1).losses:
            raise ConfigError(
                f"{where[0]}, but the training ends after {length}, so that the phase '{phase.name}' never "
                f'begins; allowed: at most {length - 1}.'
            )
        for sentence in where:
            print_log(
                f'{sentence}, but the training ends after {length}: this loss is never used.',
                'current',
                logging.WARNING,
            )


def _check_term(term: str, losses: nn.ModuleDict, key: str) -> None:
    if term == 'tdp' and term not in losses:
        raise ConfigError(
            f'{key} has the loss `tdp`, but model.losses.tdp is not set; '
            'name the features, for example losses=dict(tdp=dict(features=[-1], weights=[1.0])).'
        )
    check_choice(term, losses, f'a loss term of {key}')


def _name_logs(phases: List[Phase]) -> List[Phase]:
    """Log a term as ``loss_<term>``, and with its phase where two phases use it."""
    terms = [loss.term for phase in phases for loss in phase.losses]

    def name(phase: Phase, loss: Loss) -> str:
        return f'loss_{loss.term}' if terms.count(loss.term) == 1 else f'loss_{phase.name}_{loss.term}'

    return [
        replace(phase, losses=tuple(replace(loss, log_name=name(phase, loss)) for loss in phase.losses))
        for phase in phases
    ]


@contextmanager
def only_training(parts: Dict[str, nn.Module], update: Sequence[str], train_mode: Sequence[str] = ()) -> Iterator[None]:
    """Freeze all parts but those in ``update``.

    None of a frozen part's parameters asks for a gradient, and it is in eval mode, or in train mode if ``train_mode``
    names
    it: then it draws its dropout and stochastic depth, but layers that keep statistics, as batch norm, stay in eval
    mode, so that no statistics move. On the way out everything is as it was: what the host library had frozen before
    stays frozen, in the parts that are updated too.
    """
    frozen = {name: part for name, part in parts.items() if name not in update}
    modes = [(module, module.training) for part in frozen.values() for module in part.modules()]
    asked = [parameter for part in frozen.values() for parameter in part.parameters() if parameter.requires_grad]
    try:
        for name, part in frozen.items():
            part.train(name in train_mode)
            for module in part.modules():
                if isinstance(module, _NormBase):
                    module.eval()
        for parameter in asked:
            parameter.requires_grad_(False)
        yield
    finally:
        for module, mode in modes:
            module.training = mode
        for parameter in asked:
            parameter.requires_grad_(True)
