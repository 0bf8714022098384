from typing import List, Optional, Sequence, Tuple

import torch
import torch.nn.functional as F
from mmengine.structures import BaseDataElement
from torch import Tensor


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
    """A sample whose fields, and theirs, can be replaced without the original noticing; tensors are shared."""
    copy = sample.clone()
    for name, value in copy.items():
        if isinstance(value, BaseDataElement):
            setattr(copy, name, value.clone())
    return copy


class Batch:
    """The images of one iteration. ``lr`` and ``sr`` are made when a loss first asks for them.

    Images are RGB in [0, 1], (N, 3, H, W).

    Args:
        cascade: The model that degrades and restores.
        hr: Clean images.
        sizes: Height and width of each image without its padding.
        data_samples: The host library's samples.
        lr: Degraded images, where the data set has its own.
        cqmix_grid: One grid for each image, shape (N, h, w).
    """

    def __init__(
        self,
        cascade,
        hr: Optional[Tensor],
        sizes: Sequence[Tuple[int, int]],
        data_samples: Optional[List],
        lr: Optional[Tensor] = None,
        cqmix_grid: Optional[Tensor] = None,
    ) -> None:
        self.hr = hr
        self.sizes = sizes
        self.data_samples = data_samples
        self.cqmix_grid = cqmix_grid
        #: what a task makes of sizes and samples for its recognizer, once for all losses
        self.view = None
        self._cascade = cascade
        self._lr = lr
        self._sr = None
        self._graph = None
        self._train_restorer = False

    @property
    def lr(self) -> Tensor:
        if self._lr is None:
            with torch.no_grad():
                self._lr = self._cascade.degrade(self.hr, self.sizes, self._names())
        return self._lr

    def _names(self) -> List[Optional[str]]:
        """What evaluation knows each image by: its path, or its index where there are no samples. None in training."""
        if self._cascade.training:
            return []
        if self.data_samples is None:
            return [str(index) for index in range(len(self.sizes))]
        return [getattr(sample, 'img_path', None) for sample in self.data_samples]

    @property
    def sr(self) -> Tensor:
        """The restored images.

        Where the restorer learns they are a leaf: each loss goes backward to them and frees its graph, and
        :meth:`backward_to_restorer` carries the sum of the gradients on. So the graph of one loss at a time is alive.
        """
        if self._sr is None:
            with torch.set_grad_enabled(self._train_restorer):
                sr = self._cascade.restore(self.lr, self.hr)
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
