"""Converts batches of a host library to images between the parts, and these to what a recognizer was made for."""

import copy
from typing import List, Sequence, Tuple, Union

import torch
from mmengine.model import BaseDataPreprocessor
from torch import Tensor, nn

from sr4ir_mm.errors import ConfigError
from sr4ir_mm.registry import MODELS

from .padding import pad_to_size

# What a host's data preprocessor calls the swap of the channels: mmengine and mmdet, mmseg, mmpretrain.
_CHANNEL_FLAGS = ('_channel_conversion', 'channel_conversion', 'to_rgb')


class RecognizerInput(nn.Module):
    """From RGB in [0, 1] to what a recognizer was made for: its value range, mean, standard deviation, channel order.

    Args:
        preprocessor: The data preprocessor of the recognizer. OpenMMLab's pipelines load BGR, so one that swaps the
            channels belongs to an RGB recognizer.
    """

    def __init__(self, preprocessor: BaseDataPreprocessor) -> None:
        super().__init__()
        if not hasattr(preprocessor, '_enable_normalize'):
            raise ConfigError(
                f'model.recognizer.data_preprocessor is a {type(preprocessor).__name__}, which does not say '
                'how images are normalized; allowed are those for images, for example '
                'SegDataPreProcessor, DetDataPreprocessor or ClsDataPreprocessor.'
            )
        self.to_bgr = not any(getattr(preprocessor, flag, False) for flag in _CHANNEL_FLAGS)
        normalize = getattr(preprocessor, '_enable_normalize', False)
        mean = preprocessor.mean if normalize else torch.zeros(3, 1, 1)
        std = preprocessor.std if normalize else torch.ones(3, 1, 1)
        # Subtracted first: `255 / std * image - mean / std` would lose digits where an image is near the mean.
        self.register_buffer('mean', mean / 255, persistent=False)
        self.register_buffer('std', std / 255, persistent=False)
        # mmseg has its own name for it
        self.pad_value = getattr(preprocessor, 'pad_value', getattr(preprocessor, 'pad_val', 0))

    def forward(self, image: Tensor, sizes: Sequence[Tuple[int, int]]) -> Tensor:
        """Convert a batch, differentiably.

        Args:
            image: RGB, shape (N, 3, H, W); nothing is clamped.
            sizes: Height and width of each image in the padded batch.

        Returns:
            Same shape; what is padding has the value that the host library gives it, after the normalization.
        """
        image = self.normalize(image)
        if all(tuple(size) == tuple(image.shape[-2:]) for size in sizes):
            return image
        inside = image.new_zeros((len(sizes), 1, *image.shape[-2:]))
        for mask, (height, width) in zip(inside, sizes):
            mask[:, :height, :width] = 1
        return image * inside + self.pad_value * (1 - inside)

    def normalize(self, image: Tensor) -> Tensor:
        """Convert a batch in which nothing is padding."""
        if self.to_bgr:
            image = image.flip(1)
        return (image - self.mean) / self.std


@MODELS.register_module()
class CascadeDataPreprocessor(BaseDataPreprocessor):
    """From the samples of a host library's pipeline to the batches between the parts of a cascade.

    The host's own preprocessor keeps its work of padding, stacking and bookkeeping; its normalization is left out
    here and done by :class:`RecognizerInput` after the restorer.

    Args:
        host: The recognizer's data preprocessor; it is copied, not changed.
        pad_mode: How the padding that the host adds is filled for the restorer, ``replicate`` or ``reflect``.
        scale: Factor from ``lr`` to ``hr``, for data sets that bring their own ``lr``.
    """

    def __init__(self, host: BaseDataPreprocessor, pad_mode: str, scale: int = 1) -> None:
        super().__init__(non_blocking=True)  # which changes something for pinned memory only
        self.host = copy.deepcopy(host)
        self.host._non_blocking = True
        self.host._enable_normalize = False
        for flag in _CHANNEL_FLAGS:
            if hasattr(self.host, flag):
                setattr(self.host, flag, False)
        self.pad_mode = pad_mode
        self.scale = scale

    @property
    def batch_augments(self):
        """The host's transforms that mix or resize training batches; hooks read and change it here."""
        return getattr(self.host, 'batch_augments', None)

    @batch_augments.setter
    def batch_augments(self, value) -> None:
        self.host.batch_augments = value

    def forward(self, data: dict, training: bool = False) -> dict:
        """Move a batch to the device.

        Args:
            data: What the dataloader collates: ``inputs`` (uint8 BGR images, as the host's pipeline packs them),
                ``data_samples`` and, optionally, ``lr`` (images like ``inputs``) and other tensors by name, such as
                ``cqmix_grid``.
            training: Passed on to the host's preprocessor.

        Returns:
            ``inputs``: a dict of ``hr`` (RGB in [0, 1], (N, 3, H, W)), ``sizes`` (height and width of each image
            without padding) and what else came in, stacked; ``data_samples``: the host's.
        """
        data = dict(data)
        extras = self.cast_data({key: data.pop(key) for key in list(data) if key not in ('inputs', 'data_samples')})
        sizes = [tuple(image.shape[-2:]) for image in data['inputs']]
        data = self.host(data, training)
        hr = _to_rgb(data['inputs'])
        if getattr(self.host, 'batch_augments', None) is not None and training:
            if 'lr' in extras:
                raise ConfigError(
                    'model.recognizer.data_preprocessor.batch_augments change the images of a batch, but '
                    'not the `lr` that the data set packs; set batch_augments=None, or model.degradation '
                    'instead of an `lr` from the pipeline.'
                )
            sizes = [tuple(hr.shape[-2:])] * len(hr)  # it may have resized or mixed what the sizes spoke of
        hr = self._fill_padding(hr, sizes)
        inputs = dict(hr=hr, sizes=sizes)
        if 'lr' in extras:
            inputs['lr'] = _to_rgb(self._stack_lr(extras.pop('lr'), sizes, hr.shape[-2:]))
        inputs.update({name: _stack(value) for name, value in extras.items()})
        return dict(inputs=inputs, data_samples=data.get('data_samples'))

    def _fill_padding(self, hr: Tensor, sizes: List[Tuple[int, int]]) -> Tensor:
        full_height, full_width = hr.shape[-2:]
        if all(size == (full_height, full_width) for size in sizes):
            return hr
        return torch.cat(
            [
                pad_to_size(image[None, :, :height, :width], full_height, full_width, self.pad_mode)
                for image, (height, width) in zip(hr, sizes)
            ]
        )

    def _stack_lr(self, images: Sequence[Tensor], sizes: List[Tuple[int, int]], batch_size: Sequence[int]) -> Tensor:
        for image, size in zip(images, sizes):
            found, wanted = tuple(image.shape[-2:]), self._shrink(size)
            if found != wanted:
                raise ConfigError(
                    f'The data set packs an `lr` of {found[0]}×{found[1]} pixels with an image of '
                    f'{size[0]}×{size[1]}; with model.scale {self.scale} it must have '
                    f'{wanted[0]}×{wanted[1]}.'
                )
        full = self._shrink(batch_size)
        return torch.cat(
            [pad_to_size(image[None].to(torch.get_default_dtype()), *full, self.pad_mode) for image in images]
        )

    def _shrink(self, size: Sequence[int]) -> Tuple[int, int]:
        height, width = (-(-side // self.scale) for side in size)
        return height, width


def _stack(tensors: Union[Tensor, Sequence[Tensor]]) -> Tensor:
    return tensors if isinstance(tensors, Tensor) else torch.stack(list(tensors))


def _to_rgb(image: Tensor) -> Tensor:
    return image.to(torch.get_default_dtype()).flip(1) / 255
