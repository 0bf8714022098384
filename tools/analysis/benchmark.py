"""Measure a training iteration against the reference's: ``python tools/analysis/benchmark.py``.

The reference iteration is the one of SR4IR's published code, with the same networks, weights and data: the second
restoration builds a graph that is thrown away, the whole recognizer with its heads runs for the TDP loss, the three
losses of the second phase are summed and go backward together, in float32 and without channels-last.
"""
import argparse
import copy
import csv
import gc
import multiprocessing
import statistics
import time
from pathlib import Path
from typing import Dict, List

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData, PixelData

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


class Side:
    """One variant of one case: its networks, its optimizers, its iteration.

    Args:
        case: A key of ``CASES``.
        variant: ``reference``, or the precision in which the iteration of this package runs.
    """

    def __init__(self, case: str, variant: str) -> None:
        path, side, batch = CASES[case]
        cfg = without_weights(Config.fromfile(ROOT / 'configs' / path))
        init_default_scope(cfg.default_scope)
        cfg.model.channels_last = variant != 'reference'
        torch.manual_seed(0)
        self.model = MODELS.build(cfg.model).train()
        self.phases = build_phases(cfg.train_cfg.phases, self.model.terms, list(self.model.trainable_parts))
        self.model.phases = self.phases
        optim_wrapper = copy.deepcopy(cfg.optim_wrapper)
        optim_wrapper.amp = 'bfloat16' if variant == 'bfloat16' else None
        self.optim_wrapper = build_optim_wrapper(self.model, optim_wrapper)
        self.batch = make_batch(self.model.host, side, batch)
        self.iteration = self._reference if variant == 'reference' else self._ours
        self.clock: Dict[str, float] = {}
        if variant == 'reference':
            self._features: List = []
            source = self.model.recognizer.neck if getattr(self.model.recognizer, 'with_neck', False) \
                and self.model.host == 'mmdet' else self.model.recognizer.backbone
            source.register_forward_hook(lambda module, args, output: self._features.append(output))

    def _ours(self) -> None:
        self.model.train_step(self._copy_batch(), self.optim_wrapper)

    def _copy_batch(self) -> dict:
        return dict(self.batch, data_samples=[copy_sample(sample) for sample in self.batch['data_samples']])

    def _whole_recognizer(self, image, batch):
        """The features of the TDP loss as the reference gets them: all heads run along."""
        self._features.clear()
        image, samples = self.model.recognizer_view(image, batch)
        self.model.recognizer.predict(image, [copy_sample(sample) for sample in samples])
        return self.model.tdp.select(self._features[0])

    def _reference(self) -> None:
        model, wrapper = self.model, self.optim_wrapper
        data = model.data_preprocessor(self._copy_batch(), True)
        batch = Batch(model, data_samples=data['data_samples'], **data['inputs'])
        hr, lr = batch.hr, batch.lr
        restore, recognize = self.phases
        with only_training(model.parts, restore.update):
            sr = model.restore(lr, hr)
            loss = F.l1_loss(sr, hr)
            with torch.no_grad():
                hr_features = self._whole_recognizer(hr, batch)
            loss = loss + model.tdp(self._whole_recognizer(sr, batch), hr_features)
            wrapper['restorer'].zero_grad()
            loss.backward()
            wrapper['restorer'].step()
        graph = model.restore(lr, hr)  # with a graph that nobody needs
        sr = graph.detach()
        images = (sr, hr, blend(sr, hr, batch.cqmix_grid))
        loss = sum(loss.weight * model._task_loss(image, batch) for loss, image in zip(recognize.losses, images))
        wrapper['recognizer'].zero_grad()
        loss.backward()
        wrapper['recognizer'].step()
        del graph

    def seconds(self) -> float:
        start = time.perf_counter()
        self.iteration()
        return time.perf_counter() - start


def measure_time(case: str, repeats: int) -> Dict[str, List[float]]:
    """Seconds of each variant, one iteration of each after the other, so that what disturbs one disturbs all."""
    sides = {variant: Side(case, variant) for variant in VARIANTS}
    for side in sides.values():
        side.iteration()
    return {variant: times for variant, times in zip(
        sides, zip(*[[side.seconds() for side in sides.values()] for _ in range(repeats)]))}


def _peak(case: str, variant: str, queue) -> None:
    side = Side(case, variant)
    for _ in range(2):
        side.iteration()
    queue.put(peak_memory()[0])


def measure_memory(case: str, variant: str) -> float:
    """Peak memory in MiB of a process of its own."""
    context = multiprocessing.get_context('spawn')
    queue = context.SimpleQueue()
    process = context.Process(target=_peak, args=(case, variant, queue))
    process.start()
    value = queue.get()
    process.join()
    return value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--cases', nargs='+', choices=list(CASES), default=list(CASES), metavar='CASE')
    parser.add_argument('--repeats', type=int, default=5, help='iterations that are measured')
    parser.add_argument('--out', type=Path, default=Path('work_dirs/benchmark'), help='folder of the results')
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    rows = []
    for case in args.cases:
        times = measure_time(case, args.repeats)
        memory = {variant: measure_memory(case, variant) for variant in VARIANTS}
        for variant in VARIANTS:
            pairs = [reference / own for reference, own in zip(times['reference'], times[variant])]
            rows.append(dict(
                case=case, variant=variant, side=CASES[case][1], batch=CASES[case][2],
                seconds_per_image=round(statistics.median(times[variant]) / CASES[case][2], 4),
                peak_memory=round(memory[variant]),
                time_ratio=round(statistics.median(pairs), 2),
                memory_ratio=round(memory['reference'] / memory[variant], 2)))
            print(rows[-1], flush=True)
        gc.collect()
    with open(args.out / 'benchmark.csv', 'w', newline='') as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    header = ' | '.join(rows[0])
    lines = [f'| {header} |', '|' + '---|' * len(rows[0])]
    lines += ['| ' + ' | '.join(map(str, row.values())) + ' |' for row in rows]
    (args.out / 'benchmark.md').write_text('\n'.join(lines) + '\n')


if __name__ == '__main__':
    main()
