"""Measure a training iteration against the reference's: ``python tools/analysis/benchmark.py``.

The reference iteration is the one of SR4IR's published code, with the same networks, weights and data: the second
restoration builds a graph that is thrown away, the whole recognizer with its heads runs for the TDP loss, the three
losses of the second phase are summed and go backward together, in float32 and without channels-last.
"""
import argparse
import copy
import csv
import gc
import json
import multiprocessing
import statistics
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Callable, Dict, List

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData, LabelData, PixelData

from sr4ir_mm.engine import build_phases, only_training
from sr4ir_mm.engine.record import peak_memory
from sr4ir_mm.models.batch import Batch, blend, copy_sample
from sr4ir_mm.registry import MODELS

ROOT = Path(__file__).parents[2]
#: config, side of the images, batch
CASES = dict(
    edsr_resnet18=('sr4ir/resnet18_edsr_x4_cub.py', 224, 4),
    swinir_resnet18=('sr4ir/resnet18_swinir_x4_cub.py', 224, 1),
    edsr_deeplabv3=('sr4ir/deeplabv3_edsr_x4_voc.py', 256, 2),
    swinir_deeplabv3=('sr4ir/deeplabv3_swinir_x4_voc.py', 192, 1),
    edsr_faster_rcnn=('sr4ir/faster-rcnn_edsr_x4_voc.py', 256, 1),
    swinir_faster_rcnn=('sr4ir/faster-rcnn_swinir_x4_voc.py', 192, 1))
VARIANTS = ('reference', 'float32', 'bfloat16')


def without_weights(node):
    """A config without what would be downloaded."""
    if isinstance(node, dict):
        return type(node)({key: without_weights(value) for key, value in node.items()
                           if key != 'init_cfg' or 'Pretrained' not in str(value)})
    return type(node)(map(without_weights, node)) if isinstance(node, (list, tuple)) else node


def make_batch(host: str, side: int, batch: int) -> dict:
    """What a dataloader of the host library would collate, of noise."""
    rng = np.random.RandomState(0)
    info = dict(img_path='', img_shape=(side, side), ori_shape=(side, side), scale_factor=(1., 1.))
    samples = []
    for index in range(batch):
        if host == 'mmseg':
            from mmseg.structures import SegDataSample
            sample = SegDataSample(metainfo=info)
            sample.gt_sem_seg = PixelData(data=torch.from_numpy(rng.randint(0, 21, (1, side, side))))
        elif host == 'mmdet':
            from mmdet.structures import DetDataSample
            sample = DetDataSample(metainfo=info)
            corners = torch.tensor([[0.1, 0.1, 0.5, 0.6], [0.3, 0.4, 0.9, 0.9]]) * side
            sample.gt_instances = InstanceData(bboxes=corners, labels=torch.tensor([1, 2]))
            sample.ignored_instances = InstanceData(bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long))
        else:
            from mmpretrain.structures import DataSample
            sample = DataSample(metainfo=info)
            sample.gt_label = torch.tensor([index])
        samples.append(sample)
    return dict(
        inputs=[torch.from_numpy(rng.randint(0, 256, (3, side, side), dtype=np.uint8)) for _ in range(batch)],
        data_samples=samples,
        cqmix_grid=[torch.from_numpy(rng.randint(0, 2, (8, 8)).astype(np.float32)) for _ in range(batch)])
