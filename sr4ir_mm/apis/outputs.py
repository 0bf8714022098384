"""What an inferencer returns for an image, and the folder that it is written to."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, List, Optional, Union

import numpy as np

from sr4ir_mm.utils.files import write_json
from sr4ir_mm.utils.images import make_writable, write_image, write_label_map


@dataclass
class Result:
    """What became of one image. Images are (H, W, 3), uint8, RGB."""

    source: Any
    #: by which the files in the output folder are called
    name: str
    lr: Optional[np.ndarray] = None
    sr: Optional[np.ndarray] = None
    #: only where the input was clean
    hr: Optional[np.ndarray] = None
    #: see :meth:`Task.prediction`
    prediction: dict = field(default_factory=dict)
    panel: Optional[np.ndarray] = None
    #: the host library's sample, with predictions at the size of ``sr``
    data_sample: Any = None
    #: why there is nothing of the above
    error: Optional[str] = None


class OutputFolder:
    """Results as files: ``sr/NAME.png``, ``predictions/NAME.json`` and, as the task has it, ``labels/NAME.png`` and
    ``coco.json``; ``panels/NAME.png`` where there are panels.

    Args:
        path: The folder; it is made, and files of the same names are replaced.
        dataset_meta: ``classes`` and ``palette``.

    Raises:
        ConfigError: It cannot be written to.
    """

    def __init__(self, path: Union[str, Path], dataset_meta: dict) -> None:
        self.path = make_writable(path)
        self._meta = dataset_meta
        self._images: List[dict] = []
        self._annotations: List[dict] = []

    def write(self, result) -> None:
        """Write one result of :class:`CascadeInferencer`."""
        if result.sr is not None:
            write_image(self._file('sr', result.name, 'png'), result.sr)
        if result.panel is not None:
            write_image(self._file('panels', result.name, 'png'), result.panel)
        prediction = dict(result.prediction)
        if not prediction:
            return
        if 'sem_seg' in prediction:
            path = self._file('labels', result.name, 'png')
            write_label_map(path, prediction['sem_seg'], self._meta['palette'])
            prediction['sem_seg'] = str(path.relative_to(self.path))
        if 'masks' in prediction:
            prediction['masks'] = [_run_length(mask) for mask in prediction['masks']]
        if 'bboxes' in prediction:
            self._add_coco(result, prediction)
        source = str(result.source) if not isinstance(result.source, (bytes, np.ndarray)) else result.name
        write_json(self._file('predictions', result.name, 'json'), dict(image=source, **prediction))

    def _file(self, kind: str, name: str, suffix: str) -> Path:
        folder = self.path / kind
        folder.mkdir(exist_ok=True)
        return folder / f'{name}.{suffix}'

    def _add_coco(self, result, prediction: dict) -> None:
        self._images.append(dict(id=len(self._images) + 1, file_name=f'{result.name}.png'))
        for index, (label, score, box) in enumerate(
            zip(prediction['labels'], prediction['scores'], prediction['bboxes'])
        ):
            left, top, right, bottom = box
            entry = dict(
                id=len(self._annotations) + 1,
                image_id=len(self._images),
                category_id=label + 1,
                bbox=[left, top, right - left, bottom - top],
                area=(right - left) * (bottom - top),
                iscrowd=0,
                score=score,
            )
            if 'masks' in prediction:
                entry['segmentation'] = prediction['masks'][index]
            self._annotations.append(entry)

    def finish(self) -> None:
        """Write what is about all images: a detector's results as a COCO data set whose annotations carry scores."""
        if self._images:
            categories = [dict(id=index + 1, name=name) for index, name in enumerate(self._meta['classes'])]
            write_json(
                self.path / 'coco.json', dict(images=self._images, categories=categories, annotations=self._annotations)
            )


def _run_length(mask: np.ndarray) -> dict:
    from pycocotools import mask as coco_mask

    encoded = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    return dict(size=encoded['size'], counts=encoded['counts'].decode())
