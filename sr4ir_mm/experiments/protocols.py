"""From the config of a method to those of the protocols that it is compared with, by a table of phases."""

import copy
from typing import Callable, Dict, Iterable, List, Optional, Sequence

from mmengine.config import Config, ConfigDict

from sr4ir_mm.errors import ConfigError, check_choice

from .image_metrics import IMAGE_METRICS, is_image_metric
from .options import set_option


def load_protocols(path: str, cfg: Config) -> Dict[str, ConfigDict]:
    """Read the table of protocols.

    Args:
        path: Path of ``configs/_base_/protocols.py``, or of a study, which has a table of its own.
        cfg: The config of a method; rows without phases get its phases, less the losses in ``without``, with other
            weights of those in ``weights``, and as one phase if they say ``joint``.

    Raises:
        ConfigError: A row names a loss that the config does not have.
    """
    protocols = {}
    for name, row in Config.fromfile(path).protocols.items():
        row = ConfigDict({'phases': (cfg.get('train_cfg') or {}).get('phases', []), **row})
        row.phases = _without(row.phases, row.get('without', []), f'protocols[{name!r}].without')
        row.phases = _weighted(row.phases, row.get('weights', {}), f'protocols[{name!r}].weights')
        if row.get('joint'):
            row.phases = _joint(row.phases)
        protocols[name] = row
    return protocols


def _without(phases: Sequence[dict], terms: Sequence[str], key: str) -> List[dict]:
    """The phases without these losses; one that has no others is left out."""
    _check_terms(terms, phases, key)
    left = [
        ConfigDict(phase, losses={term: loss for term, loss in phase['losses'].items() if term not in terms})
        for phase in phases
    ]
    return [phase for phase in left if phase.losses]


def _weighted(phases: Sequence[dict], weights: Dict[str, float], key: str) -> List[dict]:
    """The phases with these weights; when a loss begins stays."""
    _check_terms(weights, phases, key)

    def reweigh(term, loss):
        weight = weights.get(term)
        if weight is None:
            return loss
        return dict(loss, weight=weight) if isinstance(loss, dict) else weight

    return [
        ConfigDict(phase, losses={term: reweigh(term, loss) for term, loss in phase['losses'].items()})
        for phase in phases
    ]


def _check_terms(terms: Iterable[str], phases: Sequence[dict], key: str) -> None:
    for term in terms:
        check_choice(term, [term for phase in phases for term in phase['losses']], key)


def _joint(phases: Sequence[dict]) -> List[dict]:
    """All losses in one phase that updates all parts."""
    update = list(dict.fromkeys(part for phase in phases for part in _as_list(phase['update'])))
    losses = {term: loss for phase in phases for term, loss in phase['losses'].items()}
    return [ConfigDict(name='joint', update=update, losses=losses)]


def in_order(names: Sequence[str], protocols: Dict[str, ConfigDict]) -> List[str]:
    """Order protocols so that each stands after those it starts from, which are added where they are missing.

    Raises:
        ConfigError: A name that is not in the table.
    """
    order = []

    def add(name: str) -> None:
        for needed in protocols[check_choice(name, protocols, '--protocols')].get('start', {}).values():
            add(needed)
        if name not in order:
            order.append(name)

    for name in names:
        add(name)
    return order


def apply_protocol(cfg: Config, protocol: ConfigDict, checkpoints: Dict[str, str]) -> Config:
    """Make the config of a protocol out of that of a method.

    The phases say which parts there are: a part that they neither teach nor look through is left out, and one that they
    do not update gets no optimizer. Without phases nothing is trained: the config has a test only.

    Args:
        cfg: The config of a method; it is not changed.
        protocol: A row of the table.
        checkpoints: For each part in the row's ``start``, the checkpoint that it starts from.

    Raises:
        ConfigError: Nothing is left to evaluate, ``cfg_options`` names what the config does not have, or batch norm
            shall be estimated again in a protocol that trains.
    """
    from sr4ir_mm.models.losses import loss_type  # brings torch, which this package's import shall not

    cfg = copy.deepcopy(cfg)
    for key, value in protocol.get('cfg_options', {}).items():
        set_option(cfg, key, value, f"cfg_options of the protocol '{protocol.title}'")
    if protocol.get('reestimate_bn'):
        if protocol.phases:
            raise ConfigError(
                'A protocol has `reestimate_bn` and `phases`; allowed: `phases=[]` and, in `start`, the '
                'protocol whose trained parts are tested with new statistics.'
            )
        cfg.custom_hooks = [
            *cfg.get('custom_hooks', []),
            ConfigDict(type='sr4ir_mm.ReestimateBatchNormHook', dataloader=cfg.train_dataloader),
        ]
    if protocol.phases:
        _train(cfg, protocol.phases, loss_type)
        schedule = check_choice(
            protocol.get('schedule'), (None, 'baseline'), f"schedule of the protocol '{protocol.title}'"
        )
        if schedule and 'baseline_param_scheduler' in cfg:
            cfg.param_scheduler = cfg.baseline_param_scheduler
    else:
        cfg.update(train_cfg=None, train_dataloader=None, optim_wrapper=None, param_scheduler=None)
    if 'restorer' in protocol:
        cfg.model.restorer = _own_restorer(cfg.model, protocol.restorer)
        if cfg.model.restorer is None:
            _drop_restorer(cfg)
    for part in protocol.get('start', {}):
        cfg.model[part].init_cfg = ConfigDict(type='Pretrained', checkpoint=checkpoints[part], prefix=part)
    return cfg


def _train(cfg: Config, phases: Sequence[dict], loss_type: Callable) -> None:
    """Train by these phases; parts that none of their losses teaches or needs go."""
    cfg.train_cfg.phases = copy.deepcopy(phases)
    losses = cfg.model.get('losses') or {}
    types = [loss_type(term, losses) for phase in phases for term in phase['losses']]
    taught = {part for term in types for part in term.teaches}
    used = taught | {part for term in types for part in term.needs}
    if 'restorer' not in taught:
        _drop_restorer(cfg)
    if 'recognizer' not in used:
        _drop_recognizer(cfg)
    extra = cfg.model.get('parts') or {}
    cfg.model.parts = {name: part for name, part in extra.items() if name in used} or None
    gone = {'recognizer', *extra} - used
    cfg.model.losses = {term: loss for term, loss in losses.items() if not gone & set(loss_type(term, losses).needs)}
    updated = {part for phase in phases for part in _as_list(phase['update'])}
    for part in ('restorer', 'recognizer', *extra):
        if part in gone and part in extra:
            cfg.optim_wrapper.pop(part, None)
        elif part not in updated:
            cfg.optim_wrapper[part] = None


def _own_restorer(model: ConfigDict, restorer: Optional[dict]) -> Optional[ConfigDict]:
    """The restorer of a protocol's row, with what is None in it filled in."""
    if restorer is None:
        return None
    known = dict(model.get('degradation') or {}, scale=model.scale)
    for key, value in restorer.items():
        if value is None and known.get(key) is None:
            raise ConfigError(
                f"The protocol's restorer {restorer['type']} needs `{key}`, but model.degradation has "
                f'none; it has: {", ".join(known)}.'
            )
    return ConfigDict({key: known[key] if value is None else value for key, value in restorer.items()})


def _drop_restorer(cfg: Config) -> None:
    """Let the recognizer see clean images, which nothing pads to a multiple of the scale."""
    cfg.model.update(restorer=None, degradation=None, scale=1)


def _drop_recognizer(cfg: Config) -> None:
    preprocessor = (cfg.model.get('recognizer') or {}).get('data_preprocessor')
    if preprocessor is not None:
        cfg.model.data_preprocessor = preprocessor
    cfg.model.recognizer = None
    for key in ('val_evaluator', 'test_evaluator'):
        metrics = [metric for metric in _as_list(cfg.get(key) or []) if is_image_metric(metric)]
        if not metrics:
            raise ConfigError(
                f'{key} has no metric of restored images ({", ".join(IMAGE_METRICS)}), so nothing can be '
                "said about a protocol without recognizer; add, for example, dict(type='sr4ir_mm.PSNR')."
            )
        cfg[key] = metrics


def _as_list(value) -> list:
    return list(value) if isinstance(value, (list, tuple)) else [value]
