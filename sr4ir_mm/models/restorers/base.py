"""The contract of a restorer, and the adapter through which a cascade calls any network."""

from typing import Any, Dict, List, Optional, Sequence, Tuple

import torch
from torch import Generator, Tensor, nn

from sr4ir_mm.errors import ConfigError
from sr4ir_mm.models.degradations import image_generator
from sr4ir_mm.models.precision import to_float32
from sr4ir_mm.models.tiling import restore_in_tiles


class Restorer(nn.Module):
    """Base class of restorers that tell a cascade what they need.

    A network of mmagic needs none of this. Derive from this class, register in ``MODELS`` and name the type in
    ``model.restorer`` for a restorer with further inputs or random numbers of its own.

    Attributes:
        min_size: Images have to be at least this large, in pixels of ``lr``.
        tile_multiple: Images may be cut at multiples of this without moving the network's windows.
        inputs: Fields of the batch, packed by the data set, that ``forward`` takes by these names besides ``lr``.
        stochastic: Whether ``forward`` takes ``generator``: in evaluation the random generator of the one image in the
            batch, in training None.
        pretrained: Whether its weights came with it.
        frozen: Whether it has nothing to learn though it has parameters.
    """

    min_size: int = 1
    tile_multiple: int = 1
    inputs: Tuple[str, ...] = ()
    stochastic: bool = False
    pretrained: bool = False
    frozen: bool = False

    def forward(self, lr: Tensor, **inputs) -> Tensor:
        """Restore images: RGB in [0, 1], (N, 3, h, w) -> (N, 3, s·h, s·w), not clamped."""
        raise NotImplementedError


class RestorerAdapter:
    """Call a restorer the way a cascade does, whatever library it is from.

    The network keeps the names of its parameters: this is no module around it.

    Args:
        network: A :class:`Restorer`, or any network (N, 3, h, w) -> (N, 3, s·h, s·w) without further inputs.
        scale: The s.
        value_range: The white of the scale that the network works on, 1 or 255.

    Raises:
        ConfigError: The network does something else to an image.
    """

    def __init__(self, network: nn.Module, scale: int, value_range: float = 1.0) -> None:
        self.network = network
        self.scale = scale
        self.value_range = value_range
        own = isinstance(network, Restorer)
        window = getattr(network, 'window_size', 1)  # of mmagic's transformers
        self.min_size = network.min_size if own else window
        self.tile_multiple = network.tile_multiple if own else window
        self.inputs = network.inputs if own else ()
        self.stochastic = own and network.stochastic
        if not self.inputs:
            self._check()

    def _check(self) -> None:
        """Compare the scale with what the network makes of an empty image."""
        name, mode = type(self.network).__name__, self.network.training
        size = max(16, self.min_size)
        try:
            with torch.no_grad():
                out = self.network.eval()(torch.zeros(1, 3, size, size))
        except Exception as error:
            raise ConfigError(
                f'model.restorer ({name}) cannot restore one batch of images; '
                'allowed: networks from (N, 3, h, w) to (N, 3, s·h, s·w), for RGB, without further inputs '
                f'({type(error).__name__}: {error}).'
            ) from error
        finally:
            self.network.train(mode)
        if not isinstance(out, Tensor) or out.shape[:2] != (1, 3):
            raise ConfigError(
                f'model.restorer ({name}) does not return RGB images; '
                'allowed: networks from (N, 3, h, w) to (N, 3, s·h, s·w).'
            )
        if getattr(self.network, 'padding', None) == 'valid':
            raise ConfigError(
                f"model.restorer.padding is 'valid', which takes {size - out.shape[-1]} pixels off an "
                "image; allowed in a cascade: 'same'."
            )
        if out.shape[-1] != self.scale * size:
            raise ConfigError(
                f'model.restorer ({name}) enlarges by {out.shape[-1] / size:g}, '
                f'but model.scale is {self.scale}; both must be the same.'
            )

    def __call__(
        self, lr: Tensor, inputs: Optional[Dict[str, Any]] = None, names: Sequence[Optional[str]] = ()
    ) -> Tensor:
        """Restore a batch.

        Args:
            lr: Degraded images, RGB in [0, 1], shape (N, 3, h, w).
            inputs: The further inputs that the network asks for.
            names: The path of each image, in evaluation, which gives a stochastic restorer its random numbers.

        Returns:
            Shape (N, 3, s·h, s·w), not clamped, float32 or float64.
        """
        inputs = inputs or {}
        if min(lr.shape[-2:]) < self.min_size:
            raise ConfigError(
                f'The low-resolution image is {lr.shape[-2]}×{lr.shape[-1]} pixels, but the restorer '
                f'({type(self.network).__name__}) wants at least {self.min_size}; use images of at least '
                f'{self.min_size * self.scale} pixels before they are degraded.'
            )
        if self.stochastic and names:
            sr = torch.cat(
                [
                    self._call(lr[index, None], {key: value[index, None] for key, value in inputs.items()}, generator)
                    for index, generator in enumerate(_generators(names))
                ]
            )
        else:
            sr = self._call(lr, inputs)
        # contiguous: not all recognizers work with channels last
        return to_float32(sr).contiguous() / self.value_range

    def _call(self, lr: Tensor, inputs: Dict[str, Any], generator: Optional[Generator] = None) -> Tensor:
        if self.stochastic:
            inputs = dict(inputs, generator=generator)
        return self.network(lr * self.value_range, **inputs)

    def in_tiles(self, lr: Tensor, tile: Optional[int], overlap: int) -> Tensor:
        """Restore large images piece by piece, see :func:`~sr4ir_mm.models.tiling.restore_in_tiles`."""
        return restore_in_tiles(self, lr, self.scale, tile, overlap, self.tile_multiple)


def _generators(names: Sequence[Optional[str]]) -> List[Optional[Generator]]:
    return [None if name is None else image_generator(f'restorer/{name}') for name in names]
