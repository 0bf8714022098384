"""One batch between the parts of a cascade: its images, made once, when a loss first asks for them."""

from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import torch
import torch.nn.functional as F
from mmengine.structures import BaseDataElement
from torch import Tensor

from sr4ir_mm.errors import ConfigError


def blend(sr: Tensor, hr: Tensor, grid: Tensor) -> Tensor:
    """CQMix: take each patch of an image from ``sr`` or from ``hr`` (SR4IR, CVPR 2024).

    Args:
        sr: Restored images, shape (N, 3, H, W).
        hr: Clean images of the same shape.
        grid: Shape (N, h, w), 1 for ``sr`` and 0 for ``hr``; resized to the image by nearest neighbor.

    Returns:
        Same shape as the images.
    """
    mask = F.interpolate(grid[:, None].to(sr), size=sr.shape[-2:], mode='nearest')
    return sr * mask + hr * (1 - mask)


def copy_sample(sample: BaseDataElement) -> BaseDataElement:
    """Copy a sample so that its fields, and theirs, can be replaced in the copy alone; tensors are shared."""
    copy = sample.clone()
    for name, value in copy.items():
        if isinstance(value, BaseDataElement):
            setattr(copy, name, value.clone())
    return copy


class Batch:
    """The images of one iteration, RGB in [0, 1], (N, 3, H, W). ``lr`` and ``sr`` are made when first asked for.

    Args:
        cascade: The model that degrades and restores.
        hr: Clean images.
        sizes: Height and width of each image without its padding.
        data_samples: The host library's samples.
        lr: Degraded images, where the data set has its own.
        **fields: What else the data set packs, for example ``cqmix_grid``, shape (N, h, w).
    """

    def __init__(
        self,
        cascade,
        hr: Optional[Tensor],
        sizes: Sequence[Tuple[int, int]],
        data_samples: Optional[List],
        lr: Optional[Tensor] = None,
        **fields: Tensor,
    ) -> None:
        self.hr: Any = hr  # None where there are low-resolution images only
        self.sizes = sizes
        self.data_samples: Any = data_samples
        self.fields = fields
        #: in training, random numbers follow the state of the device; in evaluation, each image has its own
        self.training = cascade.training
        #: what a task makes of sizes and samples for its recognizer, once for all losses
        self.view: Any = None
        self._cascade = cascade
        self._lr = lr
        self._sr: Any = None
        self._graph: Optional[Tensor] = None
        self._train_restorer = False
        self._kept: Dict[str, Any] = {}

    def field(self, name: str, hint: str = '') -> Tensor:
        """Return what the data set packs by this name.

        Args:
            name: Its name.
            hint: What a user may do if it is missing, for the message.

        Raises:
            ConfigError: The samples do not have it.
        """
        if name not in self.fields:
            has = ', '.join(self.fields) or 'only images'
            raise ConfigError(f'The samples have no `{name}` (the pipeline packs {has}){hint and "; " + hint}.')
        return self.fields[name]

    def once(self, name: str, make: Callable[[], Any]) -> Any:
        """Return what ``make`` makes, and keep it for the rest of the iteration.

        For what no phase changes, such as a frozen teacher's features of ``hr``.
        """
        if name not in self._kept:
            self._kept[name] = make()
        return self._kept[name]

    @property
    def names(self) -> List[Optional[str]]:
        """Return what evaluation knows each image by: its path, or its index without samples. Empty in training."""
        if self.training:
            return []
        if self.data_samples is None:
            return [str(index) for index in range(len(self.sizes))]
        return [getattr(sample, 'img_path', None) for sample in self.data_samples]

    @property
    def lr(self) -> Tensor:
        """The degraded images."""
        if self._lr is None:
            with torch.no_grad():
                self._lr = self._cascade.degrade(self)
        return self._lr

    @property
    def sr(self) -> Tensor:
        """The restored images.

        Where the restorer learns they are a leaf: each loss goes backward to them and frees its graph, and
        :meth:`backward_to_restorer` carries the sum of the gradients on. So the graph of one loss at a time is alive.
        """
        if self._sr is None:
            with torch.set_grad_enabled(self._train_restorer):
                sr = self._cascade.restore(self)
            if self._train_restorer:
                self._graph, sr = sr, sr.detach().requires_grad_()
            self._sr = sr
        return self._sr

    def start_phase(self, train_restorer: bool) -> None:
        """Forget ``sr``: the restorer may have changed since."""
        self._sr = self._graph = None
        self._train_restorer = train_restorer

    def backward_to_restorer(self) -> None:
        """Carry the gradients that the losses left at ``sr`` into the restorer."""
        if self._graph is not None:
            self._graph.backward(self._sr.grad)
            self._graph = None
