"""From a checkpoint into a part of a cascade."""

import logging
from collections import OrderedDict
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

from mmengine.logging import print_log
from mmengine.model import BaseModule
from torch import Tensor, nn

from sr4ir_mm.errors import CheckpointError, ConfigError, some

from .integrity import COMPUTED
from .loader import load_checkpoint

#: what stands in front of the names of a part's weights, the first that fits best: in a checkpoint of mmagic, which
#: keeps averaged weights beside the others, in that of a cascade, and of a model that was wrapped
PREFIXES = ('', 'generator_ema.module.', 'generator_ema.', 'generator.', 'restorer.', 'recognizer.', 'module.')

#: where a part has the network that a checkpoint is of alone: a backbone, one of timm, a classifier of timm
INNER = ('backbone', 'backbone.timm_model', 'model')


class Report(NamedTuple):
    """The outcome of loading a checkpoint: the names of tensors, and of shapes the sentence."""

    loaded: List[str]
    missing: List[str]
    unexpected: List[str]
    shape: List[str]

    def lines(self) -> str:
        lines = [f'{len(self.loaded)} tensors loaded']
        for title, names in zip(('not in the checkpoint', 'in the checkpoint only', 'of another shape'), self[1:]):
            if names:
                rest = f' and {len(names) - 8} more' if len(names) > 8 else ''
                lines.append(f'{len(names)} {title}: {some(names, 8)}{rest}')
        return '; '.join(lines)


def load_part(
    part: nn.Module,
    checkpoint: str,
    prefix: Optional[str] = None,
    reinit: Sequence[str] = (),
    whole: bool = False,
    key: str = 'init_cfg',
) -> Report:
    """Load the weights of a network, with a report; what is not in the checkpoint is initialized.

    Args:
        part: The network.
        checkpoint: See :func:`load_checkpoint`. Of a whole model, of its backbone, of mmagic, of a cascade: where the
            names of the weights have one of ``PREFIXES`` in front, the one that fits most tensors is taken off.
        prefix: Take only the weights whose names begin so, for example ``backbone`` or ``restorer``, and take that off.
        reinit: Modules or parameters of the part that keep a new initialization, for example ``decode_head.conv_seg``,
            when the classes are others.
        whole: Whether every tensor of the part has to come from the checkpoint, as for a test.
        key: Where the config says this, for messages.

    Raises:
        CheckpointError: Nothing of the checkpoint fits, a tensor that is not in ``reinit`` has another shape, or, with
            ``whole``, one is missing.
        ConfigError: ``reinit`` names what the part does not have.
    """
    own = part.state_dict()
    reinit = [reinit] if isinstance(reinit, str) else list(reinit)
    for name in reinit:
        if not any(_is_below(each, name) for each in own):
            raise ConfigError(
                f"{key}.reinit names '{name}', but {type(part).__name__} has no such module or parameter; "
                f'it has for example {", ".join(list(own)[-3:])}.'
            )
    all_weights = weights_of(load_checkpoint(checkpoint), checkpoint)
    weights = _strip(all_weights, f'{prefix.rstrip(".")}.') if prefix else _best(all_weights, own)
    for name in [name for name in own if name.endswith(COMPUTED) and name in weights]:
        if weights[name].shape != own[name].shape:  # the mask of another image size
            del weights[name]
    kept = {name for name in own if any(_is_below(name, each) for each in reinit)}
    shape = [
        f'{name} {tuple(weights[name].shape)}, not {tuple(own[name].shape)}'
        for name in own
        if name in weights and name not in kept and weights[name].shape != own[name].shape
    ]
    fitting = OrderedDict(
        (name, value)
        for name, value in weights.items()
        if name not in kept and not (name in own and value.shape != own[name].shape)
    )
    loaded = [name for name in fitting if name in own]
    if not loaded:
        raise _nothing_fits(checkpoint, prefix, all_weights, part, key)
    if shape:
        raise CheckpointError(
            f'The checkpoint {checkpoint} has {len(shape)} tensors of another shape than '
            f'{type(part).__name__}: {"; ".join(shape[:4])}. To initialize these anew, name their modules '
            f"in the config, for example {key}.reinit=['{shape[0].split()[0].rpartition('.')[0]}']."
        )
    if any(name not in fitting and not name.endswith(COMPUTED) for name in own) and hasattr(part, 'init_weights'):
        part.init_weights()
    _set_versions(fitting, getattr(weights, '_metadata', {}))
    # the modules' own conversions of older names happen here
    found = part.load_state_dict(fitting, strict=False)
    missing = [name for name in found.missing_keys if not name.endswith(COMPUTED)]
    if missing and whole:
        raise CheckpointError(
            f'The checkpoint {checkpoint} does not fill {type(part).__name__} ({key}); '
            f'{len(missing)} of {len(own)} tensors are missing, for example {some(missing)}.'
        )
    report = Report(loaded, missing, list(found.unexpected_keys), [])
    print_log(f'{key}: {checkpoint}: {report.lines()}', 'current', logging.WARNING if missing else logging.INFO)
    return report


def check_nested(network: nn.Module, key: str) -> None:
    """Look at what MMEngine is going to load into modules of a network by their own ``init_cfg``.

    Args:
        network: A model of a host library. Modules that load weights in a way of their own are left out.
        key: Where the config of the network stands, for messages.

    Raises:
        CheckpointError: Nothing of a checkpoint fits the module that names it; MMEngine would only warn.
    """
    for name, module in network.named_modules():
        init_cfg = getattr(module, 'init_cfg', None)
        plain = getattr(type(module), 'init_weights', None) is BaseModule.init_weights
        if not (plain and isinstance(init_cfg, dict) and init_cfg.get('type') == 'Pretrained'):
            continue
        weights = weights_of(load_checkpoint(init_cfg['checkpoint']), init_cfg['checkpoint'])
        prefix, own = init_cfg.get('prefix'), module.state_dict()
        names = _strip(weights, f'{prefix.rstrip(".")}.' if prefix else '')
        if not any(each.removeprefix('module.') in own for each in names):
            raise _nothing_fits(init_cfg['checkpoint'], prefix, weights, module, f'{key}.{name}.init_cfg')


def _nothing_fits(checkpoint: str, prefix: Optional[str], weights: dict, part: nn.Module, key: str) -> CheckpointError:
    where = f" below '{prefix}'" if prefix else ''
    return CheckpointError(
        f'Nothing of the checkpoint {checkpoint}{where} fits {type(part).__name__} ({key}). It has for '
        f'example {some(weights)}; the model has {some(part.state_dict())}.'
    )


def weights_of(checkpoint: Dict[str, Any], name: str) -> Dict[str, Tensor]:
    """The tensors of a checkpoint by their names: of ``state_dict`` or of the layouts of other codebases."""
    for key in ('state_dict', 'params_ema', 'params', 'model'):  # of MMEngine, BasicSR, torchvision's references
        if isinstance(checkpoint.get(key), dict):
            checkpoint = checkpoint[key]
            break
    weights = OrderedDict(
        (key, value) for key, value in checkpoint.items() if isinstance(key, str) and isinstance(value, Tensor)
    )
    _set_versions(weights, getattr(checkpoint, '_metadata', {}))
    if not weights:
        raise CheckpointError(f'The checkpoint {name} has no weights; it has {some(checkpoint)}.')
    return weights


def _is_below(name: str, module: str) -> bool:
    return name == module or name.startswith(f'{module}.')


def _strip(weights: Dict[str, Tensor], prefix: str) -> Dict[str, Tensor]:
    """The weights below a prefix, with the versions of their modules."""
    length = len(prefix)
    below = OrderedDict((name[length:], value) for name, value in weights.items() if name.startswith(prefix))
    versions = getattr(weights, '_metadata', {}).items()
    _set_versions(
        below, OrderedDict((name[length:], value) for name, value in versions if f'{name}.'.startswith(prefix))
    )
    return below


def _set_versions(weights: Dict[str, Tensor], versions: dict) -> None:
    """Put the versions of modules where ``load_state_dict`` looks for them."""
    weights._metadata = versions  # type: ignore[attr-defined]  # PyTorch adds it to its OrderedDict too


def _best(weights: Dict[str, Tensor], own: Dict[str, Tensor]) -> Dict[str, Tensor]:
    """The weights under the names that fit best: below one of ``PREFIXES``, or those of the backbone alone."""
    # the last is of a whole model, for a part that is a backbone
    candidates = [_strip(weights, prefix) for prefix in (*PREFIXES, 'backbone.')]
    for prefix in INNER:
        inner = OrderedDict((f'{prefix}.{name}', value) for name, value in weights.items())
        versions = getattr(weights, '_metadata', {}).items()
        _set_versions(inner, {f'{prefix}.{name}' if name else prefix: value for name, value in versions})
        candidates.append(inner)
    return max(candidates, key=lambda names: len(names.keys() & own.keys()))
