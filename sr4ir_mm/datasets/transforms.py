"""Transforms: CQMix's grid, degradation on the CPU, loading and packing."""

import copy
import zlib
from contextlib import nullcontext
from typing import Dict, Optional, Sequence, Union

import cv2
import numpy as np
import torch
from mmcv.image import imresize
from mmcv.transforms import BaseTransform, LoadImageFromFile
from mmengine.dataset import Compose
from mmengine.structures import BaseDataElement

from sr4ir_mm.errors import ConfigError
from sr4ir_mm.registry import TRANSFORMS
from sr4ir_mm.utils.random_state import seeded


@TRANSFORMS.register_module()
class CQMix(BaseTransform):
    """Draw the grid by which the cascade mixes a restored image with its clean original.

    Cross-quality patch mix of SR4IR (CVPR 2024): each cell of the grid decides whether that patch of the image comes
    from ``sr`` or from ``hr``. The grid is drawn here, so that it follows the seed of the dataloader; the images are
    mixed on the device, with the ``sr`` of the moment. Stands after the packing transform of the host library.

    Args:
        grid_size: Rows and columns of the grid, or one number for both.
        prob: Probability that a patch comes from ``sr``.

    Added keys: ``cqmix_grid``, float tensor (rows, columns), 1 for ``sr`` and 0 for ``hr``.
    """

    def __init__(self, grid_size: Union[int, Sequence[int]] = 8, prob: float = 0.5) -> None:
        self.grid_size = (grid_size, grid_size) if isinstance(grid_size, int) else tuple(grid_size)
        if len(self.grid_size) != 2 or min(self.grid_size) < 1:
            raise ConfigError(f'CQMix.grid_size is {grid_size!r}; allowed: a whole number from 1, or two of them.')
        if not 0 <= prob <= 1:
            raise ConfigError(f'CQMix.prob is {prob!r}; allowed: 0 to 1.')
        self.prob = prob

    def transform(self, results: dict) -> dict:
        if 'inputs' not in results:
            raise ConfigError(
                'CQMix comes too early in the pipeline; put it after the packing transform '
                '(PackSegInputs, PackDetInputs, PackInputs).'
            )
        grid = np.random.random(self.grid_size) < self.prob
        results['cqmix_grid'] = torch.from_numpy(grid.astype(np.float32))
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(grid_size={self.grid_size}, prob={self.prob})'


@TRANSFORMS.register_module()
class DegradeToLR(BaseTransform):
    """Make a low-resolution image of the packed one by transforms of mmagic.

    For degradations that have no place in ``model.degradation``, such as blur, resizing, noise and JPEG in random
    order. It stands after the packing transform of the host library, so that every crop and flip is in the image
    already.

    The transforms get ``dict(img=...)``, BGR, uint8, (H, W, 3), filled up to a multiple of ``scale`` by repeating the
    border; they may change its size and make it float, in 0 to 255. What they leave is resized to (H / scale, W /
    scale) and rounded to 8 bits.

    Args:
        scale: Factor from ``lr`` to ``hr``: that of the model.
        transforms: Their configs, first applied first, with ``keys=['img']`` and ``mmagic.`` before each type.
        interpolation: Of the last resizing, as of :func:`mmcv.imresize`.
        seed: None: drawn anew each time. A number, for evaluation: an image is degraded in the same way each time.

    Added keys: ``lr``, uint8 tensor (3, ⌈H / scale⌉, ⌈W / scale⌉), BGR like ``inputs``.
    """

    def __init__(
        self, scale: int, transforms: Sequence[dict], interpolation: str = 'bicubic', seed: Optional[int] = None
    ) -> None:
        if not isinstance(scale, int) or scale < 1:
            raise ConfigError(f'DegradeToLR.scale is {scale!r}; allowed: a whole number from 1.')
        self.scale = scale
        # copied: those of mmagic that hold others build them in place
        self.transforms = [TRANSFORMS.build(copy.deepcopy(transform)) for transform in transforms]
        self.interpolation = interpolation
        self.seed = seed

    def transform(self, results: dict) -> dict:
        if 'inputs' not in results:
            raise ConfigError(
                'DegradeToLR comes too early in the pipeline; put it after the packing transform '
                '(PackSegInputs, PackDetInputs, PackInputs).'
            )
        image = np.ascontiguousarray(results['inputs'].numpy().transpose(1, 2, 0))
        height, width = (-(-side // self.scale) for side in image.shape[:2])
        degraded = dict(
            img=cv2.copyMakeBorder(
                image,
                0,
                height * self.scale - image.shape[0],
                0,
                width * self.scale - image.shape[1],
                cv2.BORDER_REPLICATE,
            )
        )
        with nullcontext() if self.seed is None else seeded(self.seed, zlib.crc32(image.data)):
            # mmagic's shuffling remembers the order of the image before
            for transform in self.transforms if self.seed is None else copy.deepcopy(self.transforms):
                degraded = transform(degraded)
        lr = imresize(degraded['img'].astype(np.float32), (width, height), interpolation=self.interpolation)
        lr = lr.round().clip(0, 255).astype(np.uint8)
        results['lr'] = torch.from_numpy(np.ascontiguousarray(lr.transpose(2, 0, 1)))
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(scale={self.scale}, transforms={self.transforms}, '
            f"interpolation='{self.interpolation}', seed={self.seed})"
        )


@TRANSFORMS.register_module()
class LoadImage(LoadImageFromFile):
    """mmcv's transform of this name, with an error that names the file."""

    def transform(self, results: dict) -> dict:
        try:
            return super().transform(results)
        except Exception as error:
            raise ValueError(
                f"The image {results['img_path']} cannot be read or decoded: "
                f'{str(error).strip() or type(error).__name__}'
            ) from error


@TRANSFORMS.register_module()
class Cached(BaseTransform):
    """Do transforms once for each sample and keep in memory what they make of it, for small data sets.

    Stands at the begin of a pipeline around what is not random, for example ``dict(type='sr4ir_mm.Cached',
    transforms=[dict(type='LoadImageFromFile'), dict(type='LoadAnnotations')])``. Each worker of a dataloader keeps what
    it has loaded, so give it ``persistent_workers=True``.

    Args:
        transforms: What is done once; nothing random.
        max_gb: What a worker keeps at most, in GiB of arrays; samples beyond that are loaded each time.
    """

    def __init__(self, transforms: Sequence[dict], max_gb: float = 1.0) -> None:
        self.transforms = Compose(transforms)
        self._left = max_gb * 2**30
        self._kept: Dict[int, dict] = {}

    def transform(self, results: dict) -> Optional[dict]:
        index = results['sample_idx']
        if index not in self._kept:
            results = self.transforms(results)
            size = sum(value.nbytes for value in (results or {}).values() if isinstance(value, np.ndarray))
            if results is None or size > self._left:
                return results
            self._left -= size
            self._kept[index] = results
        return copy.deepcopy(self._kept[index])  # what follows may write into it


@TRANSFORMS.register_module()
class SetOriShape(BaseTransform):
    """Call the present size the original one, so that predictions are made and compared at this size.

    For evaluation at a fixed size: after the resizing of image *and* label map.

    Modified keys: ``ori_shape``.
    """

    def transform(self, results: dict) -> dict:
        results['ori_shape'] = results['img_shape'][:2]
        return results


@TRANSFORMS.register_module()
class PackImages(BaseTransform):
    """Pack what mmagic's transforms leave for a cascade without labels.

    Required keys: ``gt``, the clean image, uint8 BGR (H, W, 3), and ``gt_path``.

    Optional keys: ``img``, the degraded image of the same kind, packed as ``lr``; ``benchmark``, the name of the data
    set that the metrics report it under.
    """

    def transform(self, results: dict) -> dict:
        packed = dict(inputs=_to_tensor(results['gt']), data_samples=BaseDataElement())
        if 'img' in results:
            packed['lr'] = _to_tensor(results['img'])
        packed['data_samples'].set_metainfo(
            dict(img_path=results['gt_path'], **{key: results[key] for key in ('benchmark',) if key in results})
        )
        return packed


def _to_tensor(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
