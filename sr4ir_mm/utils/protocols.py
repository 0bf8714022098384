"""From a config of SR4IR to those of the protocols that it is compared with, by a table of phases."""
import copy
from typing import Dict, List, Sequence

from mmengine.config import Config, ConfigDict

from .errors import ConfigError, check_choice

#: where the metrics come from that compare images, not predictions
RESTORATION_SCOPES = ('sr4ir_mm.', 'mmagic.')


def load_protocols(path: str, cfg: Config) -> Dict[str, ConfigDict]:
    """Read the table of protocols and add SR4IR: what the config itself does.

    Args:
        path: Path of ``configs/_base_/protocols.py``.
        cfg: A config of SR4IR.
    """
    return dict(Config.fromfile(path).protocols, sr4ir=ConfigDict(title='SR4IR', phases=cfg.train_cfg.phases))


def in_order(names: Sequence[str], protocols: Dict[str, ConfigDict]) -> List[str]:
    """The protocols so that each stands behind those it starts from, which are added where they are missing.

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
    """Make the config of a protocol out of one of SR4IR.

    The phases say everything: a part that they neither teach nor look through is left out, and one that they do not
    update gets no optimizer.

    Args:
        cfg: A config of SR4IR; it is not changed.
        protocol: A row of the table.
        checkpoints: For each part in the row's ``start``, the checkpoint that it starts from.

    Raises:
        ConfigError: Nothing is left to evaluate.
    """
    from sr4ir_mm.models.cascade import Cascade  # brings torch, which this package's import shall not

    cfg = copy.deepcopy(cfg)
    cfg.train_cfg.phases = copy.deepcopy(protocol.phases)
    terms = {term for phase in protocol.phases for term in phase['losses']}
    taught = {part for term in terms for part in Cascade.terms[check_choice(term, Cascade.terms, 'a loss term')]}
    if 'restorer' not in taught:
        cfg.model.update(restorer=None, degradation=None)
    if 'recognizer' not in taught and 'tdp' not in terms:
        _drop_recognizer(cfg)
    if not terms & {'embedding', 'contrastive'}:
        cfg.model.update(embedding=None, contrastive=None)
    if 'restorer' in protocol:
        cfg.model.restorer = ConfigDict(protocol.restorer, scale=cfg.model.scale)
    for part in protocol.get('start', {}):
        cfg.model[part].init_cfg = ConfigDict(type='Pretrained', checkpoint=checkpoints[part], prefix=part)
    updated = {part for phase in protocol.phases for part in _as_list(phase['update'])}
    for part in ('restorer', 'recognizer', 'embedding'):
        if part not in updated:
            cfg.optim_wrapper[part] = None
    return cfg


def _drop_recognizer(cfg: Config) -> None:
    preprocessor = cfg.model.recognizer.get('data_preprocessor')
    if preprocessor is not None:
        cfg.model.data_preprocessor = preprocessor
    cfg.model.update(recognizer=None, tdp=None)
    for key in ('val_evaluator', 'test_evaluator'):
        metrics = [metric for metric in _as_list(cfg.get(key) or []) if metric.type.startswith(RESTORATION_SCOPES)]
        if not metrics:
            raise ConfigError(f'{key} has no metric of restored images, so nothing can be said about a protocol without '
                              "recognizer; add, for example, dict(type='sr4ir_mm.PSNR').")
        cfg[key] = metrics


def _as_list(value) -> list:
    return list(value) if isinstance(value, (list, tuple)) else [value]
