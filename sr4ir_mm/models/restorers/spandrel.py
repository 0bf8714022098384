"""Networks of the library spandrel as restorers: RCAN, HAT, DAT, DRCT, SwinIR, DnCNN, SCUNet, NAFNet and others."""

import inspect
import math
import sys
from typing import Any, Dict, Optional, Tuple

import torch
from mmengine.logging import print_log
from torch import Tensor, nn

from sr4ir_mm.checkpoints import load_checkpoint
from sr4ir_mm.errors import CheckpointError, ConfigError, check_choice, quote, some
from sr4ir_mm.models.padding import pad_to_size
from sr4ir_mm.registry import MODELS

from .base import Restorer

INSTALL = 'pip install spandrel==0.4.2'


@MODELS.register_module()
class Spandrel(Restorer):
    """Restore images by a network of spandrel (MIT license, an optional dependency: ``pip install spandrel==0.4.2``).

    Either ``architecture`` and its arguments describe the network, or spandrel recognizes it by a checkpoint. Factor,
    channels and the sizes of image that the network can take come from spandrel's description of it. The names of the
    parameters are those of the network itself, so published weights fit ``init_cfg=dict(type='Pretrained', …)``, and
    below ``restorer.`` a checkpoint of a training has the names that spandrel knows.

    Args:
        architecture: Name of a network, for example ``RCAN``, ``HAT``, ``DAT``, ``SwinIR``, ``DnCNN``, ``SCUNet``,
            ``NAFNet``; an unknown name is answered with all names.
        checkpoint: Weights whose names and shapes tell the network, read by
            :func:`sr4ir_mm.checkpoints.load_checkpoint`.
        prefix: Take only the weights of the checkpoint whose names begin so, for example ``restorer`` for those of a
            cascade, and take that off.
        **kwargs: Arguments of the network as spandrel names them, only with ``architecture``.

    Shape:
        (N, 3, h, w) -> (N, 3, s·h, s·w), RGB in [0, 1], not clamped. Images are padded at the right and bottom border,
        reflected, to a size that the network can take, and the result is cropped.

    Raises:
        ConfigError: spandrel is not installed, does not know the architecture or its arguments, or the network does not
            restore an RGB image without further inputs.
        CheckpointError: The checkpoint cannot be read, or spandrel does not recognize it.
    """

    def __init__(
        self,
        architecture: Optional[str] = None,
        checkpoint: Optional[str] = None,
        prefix: Optional[str] = None,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        # a hook, as MMEngine collects the weights of a checkpoint past `state_dict` of the parts
        self._register_state_dict_hook(_plain_names)
        if (architecture is None) == (checkpoint is None):
            raise ConfigError(
                'model.restorer of type sr4ir_mm.Spandrel needs either `architecture`, with its arguments, '
                f'or `checkpoint`; found architecture={architecture!r} and checkpoint={checkpoint!r}.'
            )
        if checkpoint is not None:
            if kwargs:
                raise ConfigError(
                    f'model.restorer.{next(iter(kwargs))} is set beside model.restorer.checkpoint, which '
                    'determines all arguments of the network; leave it out.'
                )
            description = _recognize(checkpoint, prefix)
            self.network = description.model
        else:
            if prefix is not None:
                raise ConfigError('model.restorer.prefix belongs to model.restorer.checkpoint, which is not set.')
            self.network, description = _build(architecture, kwargs)
        self._check(description)
        #: whether the weights are already trained
        self.pretrained = checkpoint is not None
        self.scale: int = description.scale
        self.size_requirements = description.size_requirements
        # how the network is called; the description's own call is for inference only
        self._call = description._call_fn
        # spandrel makes the map of noise levels that these want beside the image for a batch of one
        self._one_by_one = description.architecture.id == 'DRUNet' or getattr(self.network, 'mode', None) == 'FDnCNN'
        for module in self.network.modules():
            # RCAN says so of its constant mean color, and PyTorch does not listen
            if vars(module).get('requires_grad') is False:
                module.requires_grad_(False)

    def _check(self, description) -> None:
        name = f'model.restorer ({description.architecture.name} of spandrel)'
        if description.purpose == 'Inpainting':
            raise ConfigError(
                f'{name} fills holes and needs a mask in addition to the image; allowed: networks that restore '
                'an image without further inputs.'
            )
        channels = description.input_channels, description.output_channels
        if channels != (3, 3):
            raise ConfigError(
                f'{name} takes images of {channels[0]} and returns images of {channels[1]} channels; '
                'allowed in a cascade: 3 and 3, for RGB.'
            )

    @property
    def tile_multiple(self) -> int:  # type: ignore[override]  # known with the network, not with the class
        """The multiple of pixels at which an image may be cut without moving the network's windows."""
        hyperparameters = getattr(self.network, 'hyperparameters', {})
        window = hyperparameters.get('window_size', hyperparameters.get('split_size', 1))
        sizes = window if isinstance(window, (list, tuple)) else [window]
        return math.lcm(self.size_requirements.multiple_of, *sizes)

    def forward(self, image: Tensor) -> Tensor:
        height, width = image.shape[-2:]
        right, bottom = self.size_requirements.get_padding(width, height)
        padded = pad_to_size(image, height + bottom, width + right, 'reflect')
        if padded is image:
            padded = image.clone()  # some networks change their input
        if self._one_by_one:
            restored = torch.cat([self._call(self.network, one) for one in padded.split(1)])
        else:
            restored = self._call(self.network, padded)
        return restored[..., : height * self.scale, : width * self.scale]

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args) -> None:
        # the opposite of `_plain_names`
        for name in [name for name in state_dict if name.startswith(prefix)]:
            state_dict[f'{prefix}network.{name[len(prefix):]}'] = state_dict.pop(name)
        super()._load_from_state_dict(state_dict, prefix, *args)


def _plain_names(module: nn.Module, state_dict: dict, prefix: str, metadata: dict) -> None:
    """Take ``network.`` off the names of the weights."""
    below = f'{prefix}network.'
    for name in [name for name in state_dict if name.startswith(below)]:
        state_dict[f'{prefix}{name[len(below):]}'] = state_dict.pop(name)


def _import():
    try:
        import spandrel
    except ImportError as error:
        raise ConfigError(
            'model.restorer is of type sr4ir_mm.Spandrel, which needs the library spandrel; ' f'install it: {INSTALL}'
        ) from error
    return spandrel


def _networks() -> Dict[str, Tuple[Any, type]]:
    """Every network of spandrel by the name of its class, with the architecture that describes it."""
    networks = {}
    for support in _import().MAIN_REGISTRY:
        module = sys.modules[type(support.architecture).__module__]
        for name in module.__all__:
            if issubclass(getattr(module, name), nn.Module):
                networks[name] = support.architecture, getattr(module, name)
    return networks


def _build(name: Any, arguments: dict) -> tuple:
    """Build a network by its name.

    Returns:
        The network, and spandrel's description of it.
    """
    networks = _networks()
    architecture, network = networks[check_choice(name, networks, 'model.restorer.architecture')]
    allowed = [argument for argument in inspect.signature(network).parameters if argument != 'self']
    for argument in arguments:
        check_choice(argument, allowed, f'an argument of model.restorer ({name} of spandrel)')
    try:
        built = network(**arguments)
        # it describes weights, and makes a second network of them that is not needed
        return built, architecture.load(dict(built.state_dict()))
    except Exception as error:  # each network checks its arguments in its own way, or does not
        raise ConfigError(
            f'model.restorer: spandrel cannot build or describe {name} with the arguments {arguments} '
            f'({type(error).__name__}: {error}).'
        ) from error


def _recognize(checkpoint: str, prefix: Optional[str]):
    """Let spandrel find out which network a checkpoint belongs to, and fill it."""
    spandrel = _import()
    weights = spandrel.canonicalize_state_dict(load_checkpoint(checkpoint))
    weights = {name: value for name, value in weights.items() if isinstance(value, Tensor)}
    below = ''
    if prefix is not None:
        start = f'{prefix.rstrip(".")}.'
        below = f' below {start!r}'
        weights = {name[len(start) :]: value for name, value in weights.items() if name.startswith(start)}
    examples = some(weights)
    try:
        description = spandrel.MAIN_REGISTRY.load(dict(weights))
    except Exception as error:  # it knows no such network, or takes it for one whose weights are others
        reason = quote(str(error), 200) if str(error) else 'no network it knows has such weights'
        raise CheckpointError(
            f'model.restorer.checkpoint is {checkpoint!r}, which spandrel does not recognize{below} '
            f'({type(error).__name__}: {reason}); it has for example {examples}. '
            'Name the network by model.restorer.architecture, with its arguments, and the file in '
            "model.restorer.init_cfg, or, for the checkpoint of a cascade, set prefix='restorer'."
        ) from error
    print_log(
        f'model.restorer: {checkpoint} is spandrel\'s {description.architecture.name} '
        f'({", ".join(description.tags)}), ×{description.scale}',
        'current',
    )
    return description
