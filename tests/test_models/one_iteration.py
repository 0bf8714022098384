"""One iteration of SR4IR on any cascade, and what a dataloader of each host library would give it."""

import numpy as np
import torch
from mmengine.config import ConfigDict
from mmengine.logging import MessageHub
from mmengine.registry import init_default_scope

from sr4ir_mm.engine import CascadeOptimWrapperConstructor
from sr4ir_mm.models.phases import build_phases
from sr4ir_mm.registry import MODELS

NUM_CLASSES = 4
MEAN_STD = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375])
PHASES = [
    dict(name='restore', update='restorer', losses=dict(pixel=1.0, tdp=1.0)),
    dict(name='recognize', update='recognizer', losses=dict(task_sr=0.34, task_hr=0.34, task_cqmix=0.34)),
]
EDSR = dict(type='mmagic.EDSRNet', in_channels=3, out_channels=3, mid_channels=8, num_blocks=1, upscale_factor=4)


def build(name: str, recognizer=None, restorer=EDSR, scale: int = 4, **kwargs):
    """A cascade with initial weights; ``name`` is Segmentor, Detector or Classifier."""
    cfg = dict(
        type=f'sr4ir_mm.Cascade{name}',
        scale=scale,
        degradation=dict(type='sr4ir_mm.BicubicDownsample', scale=scale) if restorer is not None else None,
        restorer=restorer,
        recognizer=recognizer,
        losses=dict(tdp=dict(features=[-1], weights=[1.0])),
    )
    cfg.update(kwargs)
    init_default_scope(dict(Segmentor='mmseg', Detector='mmdet', Classifier='mmpretrain')[name])
    torch.manual_seed(0)
    model = MODELS.build(ConfigDict(cfg))
    model.init_weights()
    return model


def images(sizes, seed=0):
    random = np.random.RandomState(seed)
    return [torch.from_numpy(random.randint(0, 256, (3, *size), dtype=np.uint8)) for size in sizes]


def grids(count, seed=0):
    random = np.random.RandomState(seed)
    return [torch.from_numpy(random.randint(0, 2, (4, 4)).astype(np.float32)) for _ in range(count)]


def det_batch(sizes=((64, 64), (64, 64)), masks=False):
    """Two boxes in each image; the detector's own boxes class, as its pipeline packs them."""
    from mmdet.structures import DetDataSample
    from mmdet.structures.bbox import HorizontalBoxes
    from mmdet.structures.mask import BitmapMasks
    from mmengine.structures import InstanceData

    samples = []
    for index, (height, width) in enumerate(sizes):
        sample = DetDataSample(
            metainfo=dict(img_id=index, img_path=f'{index}.jpg', img_shape=(height, width), ori_shape=(height, width))
        )
        boxes = torch.tensor(
            [[2.0, 3.0, 0.6 * width, 0.7 * height], [0.4 * width, 0.3 * height, width - 4.0, height - 2.0]]
        )
        gt = InstanceData(bboxes=HorizontalBoxes(boxes), labels=torch.tensor([index % NUM_CLASSES, NUM_CLASSES - 1]))
        if masks:
            bitmaps = np.zeros((2, height, width), np.uint8)
            for bitmap, (left, top, right, bottom) in zip(bitmaps, boxes.long().tolist()):
                bitmap[top:bottom, left:right] = 1
            gt.masks = BitmapMasks(bitmaps, height, width)
        sample.gt_instances = gt
        ignored = InstanceData(bboxes=HorizontalBoxes(boxes[:1] / 2), labels=torch.tensor([0]))
        if masks:
            ignored.masks = BitmapMasks(bitmaps[:1], height, width)
        sample.ignored_instances = ignored
        samples.append(sample)
    return dict(inputs=images(sizes), data_samples=samples, cqmix_grid=grids(len(sizes)))


def seg_batch(size=(64, 64), count=2):
    from mmengine.structures import PixelData
    from mmseg.structures import SegDataSample

    samples = []
    for index in range(count):
        sample = SegDataSample(metainfo=dict(img_path=f'{index}.jpg', img_shape=size, ori_shape=size))
        labels = torch.zeros(1, *size, dtype=torch.long)
        labels[0, : size[0] // 2] = 1 + index
        labels[0, 0, 0] = 255
        sample.gt_sem_seg = PixelData(data=labels)
        samples.append(sample)
    return dict(inputs=images([size] * count), data_samples=samples, cqmix_grid=grids(count))


def cls_batch(size=(64, 64), count=2):
    from mmpretrain.structures import DataSample

    samples = [DataSample(metainfo=dict(img_path=f'{index}.jpg')).set_gt_label(index) for index in range(count)]
    # as the default collate of mmpretrain does
    return dict(inputs=torch.stack(images([size] * count)), data_samples=samples, cqmix_grid=torch.stack(grids(count)))


def one_iteration(model, data, phases=PHASES):
    """Train for one iteration.

    Returns:
        The logged losses, and for each phase the parts that were to be updated and those whose weights moved.
    """
    model.phases = build_phases(phases, model)
    sgd = dict(optimizer=dict(type='SGD', lr=1e-2))
    learning = sorted({part for phase in model.phases for part in phase.update})
    optimizers = CascadeOptimWrapperConstructor({part: sgd for part in learning})(model)
    step, moves = optimizers.step, []

    def watched_step(parts, *args):
        before = {name: [value.detach().clone() for value in part.parameters()] for name, part in model.parts.items()}
        step(parts, *args)
        moved = {
            name
            for name, part in model.parts.items()
            if any(not torch.equal(old, new) for old, new in zip(before[name], part.parameters()))
        }
        moves.append((set(parts), moved))

    optimizers.step = watched_step
    MessageHub.get_current_instance().update_info('iter', 0)  # as the runner does; YOLOX asks for it
    model.train()
    logs = model.train_step(data, optimizers)
    return {name: value.item() for name, value in logs.items()}, moves


def check_one_iteration(model, data):
    """All losses are numbers, the first phase moves the restorer alone, the second the recognizer alone."""
    logs, moves = one_iteration(model, data)
    assert set(logs) == {'loss', 'loss_pixel', 'loss_tdp', 'loss_task_sr', 'loss_task_hr', 'loss_task_cqmix'}
    assert np.isfinite(list(logs.values())).all(), logs
    assert moves == [({'restorer'}, {'restorer'}), ({'recognizer'}, {'recognizer'})]
    return logs
