"""One image as a row of pictures: what came in, what the restorer made of it, and what the recognizer sees in each."""

from functools import lru_cache
from itertools import count
from typing import Dict, Iterable, List, NamedTuple, Optional, Sequence, Set, Tuple

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from mmengine.registry import VISUALIZERS
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from sr4ir_mm.evaluation.psnr import psnr
from sr4ir_mm.models.batch import Batch, copy_sample
from sr4ir_mm.models.padding import pad_to_size
from sr4ir_mm.models.restorers.interpolation import Interpolation
from sr4ir_mm.utils.images import to_uint8, with_palette

_COUNTER = count()
_GAP = 8
MAX_WIDTH = 2000  # of a row, in pixels
_BLACK, _GREEN, _RED = (0, 0, 0), (0, 120, 0), (200, 0, 0)


class Tile(NamedTuple):
    """A picture of a row: uint8 RGB, what it is, and what there is to say of this one."""

    image: np.ndarray
    title: str
    caption: str = ''
    color: Tuple[int, int, int] = _BLACK


class Analysis(NamedTuple):
    """By the names LR, SR and HR: images of the size of ``sr``, the samples predicted for them, their features."""

    images: Dict[str, Tensor]
    predicted: Dict[str, object]
    features: Dict[str, Optional[List[Tensor]]]


class PanelDrawer:
    """Draw samples that a cascade has predicted for.

    A row is LR | SR | HR | prediction on each | ground truth | TDP distance, as far as the sample has them. The
    prediction on LR is made on the image that bilinear upsampling makes of it, as in the L→T baseline. A TDP distance
    is the map whose mean the TDP loss is, brighter where the recognizer's features differ more; both of a row have one
    scale.

    Args:
        cascade: The model.
        dataset_meta: ``classes`` and, where the data set has one, ``palette``.
        visualizer: Config of the host library's visualizer.
        min_height: Small images are enlarged by a whole number to at least this height, as long as they are at most
            2000 pixels wide,
        max_height: large ones shrunk to this one.
        annotations_follow_image: Whether boxes and masks are annotated in pixels of the packed image, as
            :func:`~sr4ir_mm.datasets.annotations_follow_image` tells, or in those of the original one.
    """

    def __init__(
        self,
        cascade,
        dataset_meta: dict,
        visualizer: Optional[dict] = None,
        min_height: int = 192,
        max_height: int = 480,
        annotations_follow_image: bool = False,
    ) -> None:
        self.cascade = cascade
        self.dataset_meta = with_palette(dataset_meta.get('classes') or (), dataset_meta.get('palette'))
        self.min_height = min_height
        self.max_height = max_height
        self.annotations_follow_image = annotations_follow_image
        self._visualizer = None
        if cascade.recognizer is not None and visualizer is not None:
            # the host's own drawing, without its storage; MMEngine would return an older one of the same name
            name = f'sr4ir_mm_panel_{next(_COUNTER)}'
            self._visualizer = VISUALIZERS.build(dict(visualizer, name=name, vis_backends=None))
            self._visualizer.dataset_meta = self.dataset_meta

    def size(self, height: int, width: int) -> Tuple[int, int]:
        """Height and width at which an image is shown."""
        if height > self.max_height:
            return self.max_height, max(1, round(width * self.max_height / height))
        zoom = max(1, min(-(-self.min_height // height), MAX_WIDTH // width))
        return height * zoom, width * zoom

    @torch.no_grad()
    def analyze(self, sample) -> 'Analysis':
        """Let the recognizer work on each image of a sample: the upsampled ``lr``, ``sr`` and ``hr``.

        Args:
            sample: The host library's, with ``sr`` and, where there are such, ``lr``, ``hr`` and predictions.
        """
        images = dict(SR=sample.sr)
        if 'lr' in sample:
            height, width = sample.sr.shape[-2:]
            upsample = Interpolation(self.cascade.scale)
            images = dict(LR=upsample(sample.lr[None])[0, :, :height, :width], **images)
        if 'hr' in sample and self.cascade.restorer is not None:
            images['HR'] = sample.hr
        predicted, features = {}, {}
        if self._visualizer is not None:
            for name, image in images.items():
                predicted[name], features[name] = self._recognize(image, sample, again=name != 'SR')
        return Analysis(images, predicted, features)

    def row(self, sample, analysis: Optional['Analysis'] = None) -> List[Tile]:
        """The pictures of one image.

        Args:
            sample: See :meth:`analyze`.
            analysis: What that returned.
        """
        images, predicted, features = analysis or self.analyze(sample)
        tiles = [self._image_tile(name, image, sample) for name, image in images.items()]
        tiles += [
            self._annotated(images[name], one, f'prediction on {name}', draw_gt=False)
            for name, one in predicted.items()
        ]
        return tiles + self.ground_truth(images.get('HR', sample.sr), sample) + self._distances(features, sample)

    def ground_truth(self, image: Tensor, sample) -> List[Tile]:
        """The picture of what a sample is annotated with, if it is; the image is (3, H, W), RGB in [0, 1]."""
        if self._visualizer is None or not any(True for _ in self.cascade.task.labels_of(sample)):
            return []
        return [self._annotated(image, sample, 'ground truth', draw_pred=False)]

    def labels(self, sample) -> Set[int]:
        """The classes that colors stand for in a row."""
        return self.cascade.task.drawn_labels(sample) if self._visualizer is not None else set()

    def compose(self, rows: Sequence[Sequence[Tile]], labels: Iterable[int] = ()) -> np.ndarray:
        """Rows as one picture with a legend."""
        return compose(rows, self.dataset_meta, sorted(labels))

    def _image_tile(self, name: str, image: Tensor, sample) -> Tile:
        shown = sample.lr if name == 'LR' else image
        caption = f'{shown.shape[-1]}×{shown.shape[-2]}'
        if 'hr' in sample and name != 'HR' and self.cascade.restorer is not None:
            caption += f', {psnr(image, sample.hr, border=0):.2f} dB' + (' (bilinear)' if name == 'LR' else '')
        return Tile(self.enlarge(to_uint8(shown), image.shape[-2:]), name, caption)

    def enlarge(self, image: np.ndarray, shape: Sequence[int]) -> np.ndarray:
        """An image as it is shown beside others of height and width ``shape``."""
        height, width = self.size(*shape)
        shrinks = image.shape[0] > height
        return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_NEAREST)

    def _recognize(self, image: Tensor, sample, again: bool) -> Tuple[object, Optional[List[Tensor]]]:
        """Prediction for, and compared features of, another image in place of the sample's own.

        Without ``again`` the sample keeps the prediction that it has.
        """
        cascade, original = self.cascade, sample
        sample = copy_sample(sample)
        for name in list(sample.keys()):
            if name.startswith('pred_') or name in ('lr', 'sr', 'hr'):
                delattr(sample, name)
        # the host's own padding, for an image of this size
        blank = torch.zeros(image.shape, dtype=torch.uint8)
        data = cascade.data_preprocessor(dict(inputs=[blank], data_samples=[sample]), False)
        height, width = data['inputs']['hr'].shape[-2:]
        image = pad_to_size(image[None], height, width, cascade.task.pad_mode)
        batch = Batch(cascade, None, data['inputs']['sizes'], data['data_samples'])
        features = None
        if 'tdp' in cascade.losses:
            features = cascade.losses['tdp'].select(cascade.task.extract_features(image, batch))
        if not again:
            return original, features
        predicted = cascade.task.recognize(image, batch)[0]
        predicted.sr = image[0, :, : blank.shape[1], : blank.shape[2]]
        return predicted, features

    def _annotated(self, image: Tensor, sample, title: str, **kwargs) -> Tile:
        height, width = self.size(*image.shape[-2:])
        shown = self.enlarge(to_uint8(image), image.shape[-2:])
        gt_shape = sample.get('img_shape' if self.annotations_follow_image else 'ori_shape')
        sample = self.cascade.task.at_size(sample.cpu(), height, width, gt_shape)
        shown = self.cascade.task.draw(self._visualizer, shown, sample, **kwargs)
        caption, right = self.cascade.task.caption(sample, self.dataset_meta['classes'], **kwargs)
        return Tile(shown, title, caption, {True: _GREEN, False: _RED, None: _BLACK}[right])

    def _distances(self, features: Dict[str, Optional[List[Tensor]]], sample) -> List[Tile]:
        """Draw the distance between the recognizer's features of the other images and of ``hr``."""
        hr = features.get('HR')
        if hr is None:
            return []
        shape, tdp = sample.sr.shape[-2:], self.cascade.losses['tdp']
        maps = {
            name: distance_map(found, hr, tdp.weights, shape)
            for name, found in features.items()
            if name != 'HR' and found is not None
        }
        brightest = max(value.max().item() for value in maps.values()) or 1
        tiles = []
        for name, value in maps.items():
            loss = tdp.compare(features[name], hr).item()
            colored = _colormap()[(value / brightest * 255).round().long().cpu().numpy()]
            tiles.append(Tile(self.enlarge(colored, shape), f'TDP distance {name}–HR', f'mean {loss:.3g}'))
        return tiles


def distance_map(
    one: Sequence[Tensor], other: Sequence[Tensor], weights: Sequence[float], shape: Sequence[int]
) -> Tensor:
    """Where two images differ in the recognizer's features.

    Args:
        one: Feature maps of an image, each (1, C, h, w).
        other: Those of the other image.
        weights: Those of the TDP loss.
        shape: Height and width of the image.

    Returns:
        Shape (H, W): the weighted sum of the absolute differences, averaged over the channels; its mean is the loss.
        Features without height and width, such as tokens, are left out.
    """
    total = torch.zeros(tuple(shape))
    for weight, a, b in zip(weights, one, other):
        if a.dim() != 4:
            continue
        difference = (a.float() - b.float()).abs().mean(1, keepdim=True)
        total = total.to(difference) + weight * F.interpolate(difference, size=tuple(shape), mode='nearest')[0, 0]
    return total


@lru_cache(maxsize=1)
def _colormap() -> np.ndarray:
    from matplotlib import colormaps

    return (colormaps['magma'](np.arange(256))[:, :3] * 255).round().astype(np.uint8)


@lru_cache(maxsize=4)
def _font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    from matplotlib import font_manager

    return ImageFont.truetype(
        font_manager.findfont(font_manager.FontProperties(family='DejaVu Sans', weight='bold' if bold else 'normal')),
        size,
    )


def compose(
    rows: Sequence[Sequence[Tile]],
    dataset_meta: Optional[dict] = None,
    labels: Sequence[int] = (),
    max_width: int = MAX_WIDTH,
) -> np.ndarray:
    """Rows of pictures as one.

    Args:
        rows: Each with the same titles, which stand above the first row.
        dataset_meta: ``classes`` and ``palette``, for the legend.
        labels: Classes of the legend.
        max_width: Rows that would be wider are broken into several lines, each with its titles.

    Returns:
        (H, W, 3), uint8, RGB.
    """
    titles = list(dict.fromkeys(tile.title for row in rows for tile in row))
    width = sum(_column_widths(rows, titles)) + _GAP * (len(titles) + 1)
    count = -(-len(titles) // -(-width // max_width))  # columns of a line, so that the lines are about as wide
    if count < len(titles):
        groups = [titles[first : first + count] for first in range(0, len(titles), count)]
        parts = [_grid([row], group) for row in rows for group in groups]
    else:
        parts = [_grid(rows, titles)]
    width = max(part.width for part in parts)
    if dataset_meta and labels:
        parts.append(_legend(dataset_meta, labels, width))
    canvas = Image.new('RGB', (width, sum(part.height for part in parts) + _GAP), 'white')
    top = 0
    for part in parts:
        canvas.paste(part, (0, top))
        top += part.height
    return np.array(canvas)


def _column_widths(rows: Sequence[Sequence[Tile]], titles: Sequence[str]) -> List[int]:
    """As wide as its widest picture, caption or title."""
    return [
        max(
            [round(_font(14, True).getlength(title))]
            + [
                max(tile.image.shape[1], round(_font(13).getlength(tile.caption)))
                for row in rows
                for tile in row
                if tile.title == title
            ]
        )
        for title in titles
    ]


def _grid(rows: Sequence[Sequence[Tile]], titles: Sequence[str]) -> Image.Image:
    """Rows with the columns of these titles."""
    title_height, caption_height = 26, 22
    by_title = [{tile.title: tile for tile in row if tile.title in titles} for row in rows]
    widths = _column_widths(rows, titles)
    heights = [max([0] + [tile.image.shape[0] for tile in row.values()]) for row in by_title]
    width = sum(widths) + _GAP * (len(widths) + 1)
    canvas = Image.new('RGB', (width, title_height + sum(heights) + caption_height * len(rows)), 'white')
    draw = ImageDraw.Draw(canvas)
    left = _GAP
    for title, column in zip(titles, widths):
        draw.text((left, 5), title, 'black', _font(14, True))
        top = title_height
        for row, row_height in zip(by_title, heights):
            if title in row:
                tile = row[title]
                canvas.paste(Image.fromarray(np.ascontiguousarray(tile.image)), (left, top))
                draw.text((left, top + row_height + 2), tile.caption, tile.color, _font(13))
            top += row_height + caption_height
        left += column + _GAP
    return canvas


def _legend(dataset_meta: dict, labels: Sequence[int], width: int) -> Image.Image:
    """Colors and names of classes, in lines of at most this width."""
    line_height = 26
    lines: List[List[tuple]] = [[]]
    offset = 0
    for label in sorted(set(labels)):
        name = dataset_meta['classes'][label]
        length = 44 + round(_font(13).getlength(name))
        if offset and offset + length > width - 2 * _GAP:
            lines.append([])
            offset = 0
        lines[-1].append((_GAP + offset, name, tuple(dataset_meta['palette'][label])))
        offset += length
    canvas = Image.new('RGB', (width, line_height * len(lines)), 'white')
    draw = ImageDraw.Draw(canvas)
    for index, line in enumerate(lines):
        top = line_height * index
        for left, name, color in line:
            draw.rectangle((left, top + 6, left + 14, top + 20), color, 'black')
            draw.text((left + 20, top + 4), name, 'black', _font(13))
    return canvas
