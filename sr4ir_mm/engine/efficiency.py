"""Makes a built cascade fast, from outside: memory format, activation checkpointing, CPU operations, compilation."""

import copy
from functools import partial
from typing import Dict, Iterator, List, Optional, Sequence

import torch
from mmengine.logging import print_log
from mmengine.model.efficient_conv_bn_eval import turn_on_efficient_conv_bn_eval_for_single_model
from torch import nn
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import (
    CheckpointImpl,
    apply_activation_checkpointing,
    checkpoint_wrapper,
)

from sr4ir_mm.engine.cpu_ops import use_fast_cpu_ops
from sr4ir_mm.errors import ConfigError, check_choice
from sr4ir_mm.models import Cascade
from sr4ir_mm.utils.random_state import seeded


def apply_efficiency(
    cascade: Cascade,
    channels_last: Optional[Sequence[str]] = None,
    conv_bn_eval: bool = False,
    cpu_ops: bool = True,
    activation_checkpointing: Sequence[str] = (),
    compile: Optional[Dict[str, dict]] = None,
) -> None:
    """Make a cascade fast that has its weights; its numbers stay the same but for rounding.

    Args:
        cascade: The model; it is changed.
        channels_last: The parts whose feature maps lie in memory channels last, for example ``['restorer']``. None: on
            a CPU those that are known to be faster so, the recognizer only if a training step and a prediction on
            random images work; on a GPU none.
        conv_bn_eval: Whether batch norms of the recognizer's backbone that are in eval mode are calculated
            together with the convolutions before them, see :mod:`mmengine.model.efficient_conv_bn_eval`.
        cpu_ops: Whether depthwise convolutions and RoIAlign on a CPU are calculated by what is fast there.
        activation_checkpointing: The parts that keep the activations between their blocks only and compute the others
            again in the backward: less memory, for one more forward.
        compile: For each part that ``torch.compile`` is to translate, its arguments, for example
            ``dict(restorer=dict())``; of the recognizer it is the backbone.

    Raises:
        ConfigError: A part does not exist, or cannot be traced.
    """
    parts = cascade.parts
    for key, names in (
        ('channels_last', channels_last or ()),
        ('activation_checkpointing', activation_checkpointing),
        ('compile', compile or {}),
    ):
        for name in names:
            check_choice(name, parts, f'a part in efficiency.{key}')
    on_cpu = not next(cascade.parameters(), torch.empty(0)).is_cuda
    # not the other kind, which wants inputs with gradients
    wrapper = partial(checkpoint_wrapper, checkpoint_impl=CheckpointImpl.NO_REENTRANT)
    for name in activation_checkpointing:
        blocks = set(_repeated_blocks(parts[name]))
        apply_activation_checkpointing(parts[name], wrapper, check_fn=blocks.__contains__)
    traced = []
    if conv_bn_eval and cascade.recognizer is not None:
        traced.append(_fold_batch_norm(cascade.recognizer.backbone))
    if cpu_ops and on_cpu:
        use_fast_cpu_ops(*parts.values(), *traced)
    if channels_last is None:
        channels_last = _choose_channels_last(cascade) if on_cpu else []
    for name in channels_last:
        parts[name].to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's types lack it
    for name, arguments in (compile or {}).items():
        (parts[name].backbone if name == 'recognizer' else parts[name]).compile(**arguments)


def _repeated_blocks(network: nn.Module) -> Iterator[nn.Module]:
    """Yield the outermost blocks that a network is stacked from: members, all of a kind, of its lists and sequences."""
    for child in network.children():
        members = list(child) if isinstance(child, (nn.ModuleList, nn.Sequential)) else []
        if len(members) > 1 and len({type(member) for member in members}) == 1:
            yield from members
        else:
            yield from _repeated_blocks(child)


def _choose_channels_last(cascade: Cascade) -> List[str]:
    """Return the parts that are faster channels last, and work so: not every head of the host libraries does."""
    chosen = [name for name, part in cascade.parts.items() if _gains_channels_last(part)]
    if 'recognizer' in chosen:
        samples = cascade.task.example_samples(2, 64, 64)
        error = _try_channels_last(cascade.recognizer, samples) if samples else 'its task has no samples to try it with'
        if error:
            chosen.remove('recognizer')
            print_log(
                f'The recognizer ({type(cascade.recognizer).__name__}) does not work with feature maps that lie '
                f'channels last ({error}); they are stored as usual.',
                'current',
            )
    return chosen


def _gains_channels_last(network: nn.Module) -> bool:
    """Return whether a network is faster on a CPU if its feature maps lie in memory channels last.

    Of recognizers those with a ResNet or MobileNet, which were measured; some others do not even work so, as VGG, which
    views its features flat.
    """
    if not hasattr(network, 'backbone'):
        return True
    kind = getattr(network.backbone, 'arch', None) or type(network.backbone).__name__
    return str(kind).lower().startswith(('resnet', 'mobilenet'))


def _try_channels_last(recognizer: nn.Module, samples: List) -> Optional[str]:
    """Try a training step and a prediction of a copy whose feature maps lie in memory channels last.

    Heads that view a feature map flat fail at this, and so do weights of five dimensions.

    Args:
        recognizer: A model of a host library; it is not changed.
        samples: Annotated samples for images of 64×64 pixels.

    Returns:
        What went wrong, in the words of the error; None if nothing did.
    """
    with seeded(0):
        images = torch.rand(len(samples), 3, 64, 64)
        try:
            copied = copy.deepcopy(recognizer).train()
            copied.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's types lack it
            copied.parse_losses(copied.loss(images, copy.deepcopy(samples)))[0].backward()
            with torch.no_grad():
                copied.eval().predict(images, copy.deepcopy(samples))
        except Exception as error:  # whatever it is, without channels last it cannot come from there
            return f'{type(error).__name__}: {str(error).splitlines()[0] if str(error) else "no message"}'
    return None


def _fold_batch_norm(network: nn.Module) -> nn.Module:
    """Calculate batch norms in eval mode with the convolutions before them.

    Returns:
        The traced network that ``network`` calls from now on; it shares the layers.
    """
    try:
        turn_on_efficient_conv_bn_eval_for_single_model(network)
    except Exception as error:
        raise ConfigError(
            f'efficiency.conv_bn_eval is True, but {type(network).__name__} cannot be traced '
            f'({type(error).__name__}: {error}); set it to False.'
        ) from error
    return network.forward.__self__  # type: ignore[attr-defined]  # MMEngine puts the traced network's method there
