"""What is wrong with a config is told before the first iteration, and to find out leaves no trace."""

import copy
import json
import shutil
from collections import deque
from pathlib import Path
from threading import Lock

import cv2
import numpy as np
import pytest
import torch
from mmcv.transforms import BaseTransform
from mmengine.hooks import Hook
from mmengine.registry import HOOKS, TRANSFORMS
from torch import nn

from sr4ir_mm.checkpoints import load_checkpoint
from sr4ir_mm.engine.hooks.dry_run_metrics import try_metrics
from sr4ir_mm.errors import ConfigError
from sr4ir_mm.evaluation import PSNR
from sr4ir_mm.utils.preserve import preserved
from tests.helpers.processes import launched
from tests.test_engine.test_host_hooks import classification, yolox
from tests.test_engine.test_loops import run
from tests.test_engine.test_resume import by_epoch, everything, tensors


@HOOKS.register_module(force=True)
class NoIteration(Hook):
    """Fail where the first batch is about to be used."""

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        raise AssertionError('the training has begun')


def check(cfg, message):
    """The mistake is told, in one line, before the first iteration."""
    cfg = copy.deepcopy(cfg)
    cfg.custom_hooks = [*cfg.custom_hooks, dict(type='NoIteration')]
    with pytest.raises(ConfigError, match=message) as error:
        run(cfg)
    assert '\n' not in str(error.value)


def change(cfg, **values):
    """Set keys, with __ for dots and numbers for places in a list."""
    for key, value in values.items():
        *parents, name = (int(each) if each.isdigit() else each for each in key.split('__'))
        node = cfg
        for parent in parents:
            node = node[parent]
        node[name] = value
    return cfg


# ---------- no trace


@TRANSFORMS.register_module(force=True)
class Remember(BaseTransform):
    """Make an image brighter with each one that has been seen, besides at random."""

    def __init__(self):
        self.seen = []

    def transform(self, results):
        self.seen.append(results['img_path'])
        noise = np.random.randint(0, 20) + int(torch.randint(0, 20, ()))
        results['img'] = (results['img'].astype(int) + len(self.seen) + noise).clip(0, 255).astype(np.uint8)
        return results


def eventful(cfg, kind=by_epoch):
    """A training with whatever a trial could disturb."""
    kind(cfg)
    cfg.train_dataloader.dataset.pipeline.insert(2, dict(type='Remember'))
    cfg.model.recognizer.decode_head.dropout_ratio = 0.5
    cfg.default_hooks.checkpoint.save_best = 'mIoU'
    if kind is by_epoch:
        cfg.custom_hooks.append(dict(type='EMAHook', momentum=0.1))
    return cfg


@pytest.mark.parametrize('kind', [by_epoch, everything])
def test_a_training_is_the_same_without_it(voc_cfg, kind, bfloat16):
    eventful(voc_cfg, kind).train_cfg.update({'max_iters' if kind is everything else 'max_epochs': 2})
    results = []
    for dry_run in (True, False):
        cfg = copy.deepcopy(voc_cfg)
        cfg.train_cfg.dry_run = dry_run
        runner = run(cfg, work_dir=f'{cfg.work_dir}_{dry_run}')
        results.append(runner)
    with_it, without = ([load_checkpoint(path) for path in _checkpoints(runner.work_dir)] for runner in results)
    assert len(with_it) == len(without) >= 2
    for one, other in zip(with_it, without):
        one, other = tensors(one), tensors(other)
        assert one.keys() == other.keys() and len(one) > 100
        assert not [name for name in one if not torch.equal(one[name], other[name])]
    one, other = (runner.message_hub.log_scalars for runner in results)
    assert one.keys() == other.keys()
    for name in one:
        if 'time' not in name:
            assert one[name].data[0].tolist() == other[name].data[0].tolist()
    assert one['train/loss_tdp'].data[0].size


def _checkpoints(folder):
    return sorted(Path(folder).glob('*.pth'))


def _train(cfg):
    from sr4ir_mm.engine import init_dist_without_gpu

    cfg.launcher = 'pytorch'
    init_dist_without_gpu(cfg)
    run(cfg)


def test_two_processes_train_the_same_without_it(voc_cfg):
    """With plain batch norm, of which each has its own statistics."""
    eventful(voc_cfg).model_wrapper_cfg = dict(type='sr4ir_mm.CascadeDistributedDataParallel')
    voc_cfg.train_dataloader.batch_size = 1
    voc_cfg.train_cfg.max_epochs = 1
    found = []
    for dry_run in (True, False):
        cfg = copy.deepcopy(voc_cfg)
        cfg.train_cfg.dry_run = dry_run
        cfg.work_dir += f'_{dry_run}'
        processes = launched(2, _train, cfg)
        assert [process.wait() for process in processes] == [0, 0], processes[0].output()
        found.append(tensors(load_checkpoint(f'{cfg.work_dir}/epoch_1.pth')))
    one, other = found
    assert one.keys() == other.keys()
    assert not [name for name in one if not torch.equal(one[name], other[name])]


def test_two_processes_both_tell_a_mistake(voc_cfg):
    """None of them waits for one that has stopped."""
    change(
        voc_cfg,
        model__losses__tdp__features=[7],
        model_wrapper_cfg=dict(type='sr4ir_mm.CascadeDistributedDataParallel'),
    )
    processes = launched(2, _train, voc_cfg)
    assert [process.wait() for process in processes] == [1, 1]
    assert all('model.losses.tdp.features names the feature map 7' in process.output() for process in processes)


class Restless(nn.Module):
    """Change whatever a module can have, in its forward."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(2)
        self.weight = nn.Parameter(torch.ones(2))
        self.register_buffer('count', torch.zeros(()))
        self.lists, self.queue, self.table, self.number = [1], deque([1]), dict(a=1), 1
        self.plain = torch.zeros(2)

    def forward(self, x):
        with torch.no_grad():
            self.weight.mul_(2)
        self.count = self.count + 1
        self.plain += 1
        self.lists.append(2)
        self.queue.popleft()
        self.table.update(a=2, b=3)
        self.number += 1
        self.new = True
        self.norm.weight.requires_grad_(False)
        return (self.norm(x) * self.weight).sum()


def test_nothing_of_a_model_changes():
    model = Restless().eval()
    waiting = model.weight.grad = torch.full((2,), 5.0)
    containers = model.lists, model.queue, model.table
    before = copy.deepcopy(model)
    with preserved(model):
        assert model.weight.grad is None
        model.train()(torch.rand(4, 2)).backward()
        assert model.number == 2 and model.norm.running_mean.any() and model.weight.grad is not None
    assert model.weight.grad is waiting and waiting.tolist() == [5, 5]
    assert all(torch.equal(value, before.state_dict()[name]) for name, value in model.state_dict().items())
    assert containers == (before.lists, before.queue, before.table) == (model.lists, model.queue, model.table)
    assert model.lists is containers[0] and model.number == 1 and not hasattr(model, 'new') and not model.plain.any()
    assert not any(module.training for module in model.modules())
    assert all(parameter.requires_grad for parameter in model.parameters())


# ---------- segmentation


HEAD = 'model__recognizer__decode_head'


@pytest.mark.parametrize(
    'changes, message',
    [
        ({f'{HEAD}__num_classes': 5}, 'data set of train_dataloader has 4 classes .*recognizer is made for 5; set num_classes'),
        (
            {f'{HEAD}__in_channels': 32},
            'one training sample failed in the loss `task_sr` of the phase .recognize., in '
            r'model.recognizer.decode_head.*RuntimeError: .*32 channels.* train_cfg.dry_run=False skips it',
        ),
        (
            {f'{HEAD}__loss_decode__class_weight': [1.0] * 3},
            'class_weight of model.recognizer.decode_head.loss_decode has 3 numbers; the recognizer has 4 classes',
        ),
        # a loss of the second epoch
        (dict(model__losses__tdp__features=[7]), 'model.losses.tdp.features names the feature map 7, but the recognizer returns 4'),
        (
            dict(default_hooks__checkpoint__save_best='mIoUs'),
            "default_hooks.checkpoint.save_best is 'mIoUs'; allowed: .*'mIoU'.*'PSNR'.* Did you mean 'mIoU'",
        ),
        (
            dict(default_hooks__early_stopping=dict(type='EarlyStoppingHook', monitor='seg/mIoU')),
            "EarlyStoppingHook.monitor is 'seg/mIoU'; allowed: .*'mIoU'",
        ),
        (
            dict(
                param_scheduler=dict(
                    restorer=[dict(type='ReduceOnPlateauLR', monitor='PSNR')],
                    recognizer=[dict(type='ReduceOnPlateauLR', monitor='loss')],
                )
            ),
            r"monitor of ReduceOnPlateauLR \(param_scheduler.recognizer\) is 'loss'; allowed: ",
        ),
        (
            dict(
                val_evaluator=[dict(type='sr4ir_mm.PSNR'), dict(type='IoUMetric')], default_hooks__checkpoint__save_best='auto'
            ),
            "save_best is 'auto', which means the first metric, 'PSNR', of which it is not known whether more is better",
        ),
        (dict(val_evaluator=[dict(type='sr4ir_mm.PSNR')] * 2), "Two metrics of val_evaluator return 'PSNR'"),
        (dict(val_evaluator__1__border=24), 'PSNR.border is 24, which leaves nothing of an image of 40×48 pixels'),
        (
            dict(train_dataloader__dataset__seg_map_suffix='.tif'),
            'training sample failed while it was loaded by train_dataloader, in LoadAnnotations: FileNotFoundError: .*'
            '000000.tif.* Check data_root, data_prefix and the suffixes',
        ),
        (dict(val_dataloader__dataset__seg_map_suffix='.tif'), 'one validation sample failed while it was loaded by val_dataloader'),
    ],
)  # fmt: skip
def test_mistakes_of_a_segmentation(voc_cfg, changes, message):
    check(change(voc_cfg, **changes), message)


def test_a_validation_pipeline_without_what_the_metric_reads(voc_cfg):
    voc_cfg.val_dataloader.dataset.pipeline = [
        each for each in voc_cfg.val_dataloader.dataset.pipeline if each.type != 'LoadAnnotations'
    ]
    check(
        voc_cfg,
        r'The metric IoUMetric of val_evaluator reads `gt_sem_seg`, which the samples do not have \(they have .*'
        r'pred_sem_seg.*\); append what loads it to the pipeline of val_dataloader.dataset',
    )


@pytest.fixture
def other_voc(voc, voc_cfg, tmp_path):
    """A copy of the data set, and the config with it."""
    root = tmp_path / 'other'
    shutil.copytree(voc, root)
    for key in ('train_dataloader', 'val_dataloader'):
        voc_cfg[key].dataset.data_root = str(root)
    return root, voc_cfg


@pytest.mark.parametrize('number, loader', [(3, 'train_dataloader'), (5, 'val_dataloader')])
def test_a_label_file_that_is_missing_anywhere(other_voc, number, loader):
    """Not only that of the sample which is tried."""
    root, cfg = other_voc
    (root / f'SegmentationClass/{number:06d}.png').unlink()
    check(
        cfg, rf'The data set of {loader} names 1 files that do not exist, among them .*00000{number}.png \(seg_map_path'
    )


@pytest.mark.parametrize(
    'label, message',
    [
        (7, r'The labels of .*00000[01].jpg have the values \[7\]; the recognizer allows 0 to 3, and 255'),
        (
            255,
            r'IndexError: index 255 .*With class_weight, model.recognizer.decode_head.loss_decode \(CrossEntropyLoss\) allows '
            r'the labels 0 to 3 only, not that of what is ignored \(255\)',
        ),
    ],
)
def test_label_values_and_weights_of_classes(other_voc, label, message):
    root, cfg = other_voc
    for path in (root / 'SegmentationClass').glob('*.png'):
        cv2.imwrite(str(path), np.full((40, 48), label, np.uint8))
    check(change(cfg, **{f'{HEAD}__loss_decode__class_weight': [1.0] * 4}), message)


def test_it_can_be_switched_off(voc_cfg):
    change(voc_cfg, default_hooks__checkpoint__save_best='mIoUs', train_cfg__dry_run=False)
    voc_cfg.custom_hooks = [dict(type='NoIteration')]
    with pytest.raises(AssertionError, match='the training has begun'):
        run(voc_cfg)


def test_figures_that_the_sample_does_not_have_are_no_mistake(voc_cfg):
    """Of a class that is in other images only."""
    change(
        voc_cfg,
        val_evaluator=[dict(type='sr4ir_mm.PerClassIoUMetric')],
        default_hooks__checkpoint__save_best=['IoU/b', 'IoU/c', 'IoU/d'],
        default_hooks__checkpoint__rule='greater',
        custom_hooks=[dict(type='NoIteration')],
    )
    with pytest.raises(AssertionError, match='the training has begun'):
        run(voc_cfg)


def test_figures_of_several_benchmarks_are_not_known_from_one():
    sample = dict(sr=torch.rand(3, 32, 32), hr=torch.rand(3, 32, 32))
    assert try_metrics([PSNR()], {}, [sample]) == ['PSNR']
    assert try_metrics([PSNR()], {}, [dict(sample, benchmark='Set5')]) is None


@TRANSFORMS.register_module(force=True)
class Locked(BaseTransform):
    """Have something that cannot be copied."""

    def __init__(self):
        self.lock = Lock()

    def transform(self, results):
        return results


def test_a_pipeline_that_cannot_be_copied_is_no_mistake(voc_cfg):
    voc_cfg.train_dataloader.dataset.pipeline.insert(2, dict(type='Locked'))
    voc_cfg.custom_hooks = [dict(type='NoIteration')]
    with pytest.raises(AssertionError, match='the training has begun'):
        run(voc_cfg)


def test_metrics_keep_nothing_and_write_nothing(voc_cfg, tmp_path):
    change(
        voc_cfg,
        val_evaluator=[
            dict(type='IoUMetric', output_dir=str(tmp_path / 'pictures')),
            dict(type='DumpResults', out_file_path=str(tmp_path / 'results.pkl')),
        ],
        custom_hooks=[dict(type='NoIteration')],
    )
    with pytest.raises(AssertionError, match='the training has begun'):
        run(voc_cfg)
    assert not list(tmp_path.rglob('*.pkl')) and not list(tmp_path.rglob('pictures/*'))


# ---------- detection


@pytest.fixture
def detection(tmp_path):
    cfg = yolox(tmp_path, [])
    cfg.default_hooks.checkpoint = dict(type='sr4ir_mm.ResumableCheckpointHook')
    return cfg


@pytest.mark.parametrize(
    'changes, message',
    [
        (
            dict(model__recognizer__bbox_head__num_classes=3),
            r'data set of train_dataloader has 1 classes \(square\), but the recognizer is made for 3',
        ),
        (
            dict(model__recognizer__bbox_head__in_channels=16),
            'training sample failed in the loss `task_sr` .*, in model.recognizer.bbox_head.*RuntimeError: .*16, .*32 channels',
        ),
        (dict(model__losses__tdp__features=[3]), 'model.losses.tdp.features names the feature map 3, but the recognizer returns 3'),
        (
            dict(default_hooks__checkpoint__save_best='coco/bbox_map'),
            "save_best is 'coco/bbox_map'; allowed: 'coco/bbox_mAP'.* Did you mean 'coco/bbox_mAP'",
        ),
        (dict(val_evaluator__0__metric='segm'), "failed in the metric CocoMetric of val_evaluator: KeyError: .*segm is not in"),
        (
            dict(val_dataloader__dataset__pipeline__2__meta_keys=('img_path', 'ori_shape', 'img_shape')),
            'The metric CocoMetric of val_evaluator reads `img_id`, .* name it in meta_keys of the packing transform',
        ),
    ],
)  # fmt: skip
def test_mistakes_of_a_detection(detection, changes, message):
    check(change(detection, **changes), message)


def test_a_detector_that_finds_nothing_is_no_mistake(detection, tmp_path):
    """Nor does a large annotation file make it slow: the metric looks for the tried image alone."""
    change(
        detection,
        model__recognizer__test_cfg__score_thr=1.0,
        train_cfg__max_epochs=1,
        train_cfg__val_interval=1,
        default_hooks__checkpoint__save_best='coco/bbox_mAP',
    )
    path = tmp_path / 'coco.json'
    coco = json.loads(path.read_text())
    coco['annotations'] = coco['annotations'][1:]  # the tried image has none
    path.write_text(json.dumps(coco))
    detection.custom_hooks = [dict(type='NoIteration')]
    with pytest.raises(AssertionError, match='the training has begun'):
        run(detection)


# ---------- classification


@pytest.fixture
def classes(tmp_path):
    cfg = classification(tmp_path)
    cfg.default_hooks.checkpoint = dict(type='sr4ir_mm.ResumableCheckpointHook')
    return cfg


@pytest.mark.parametrize(
    'changes, message',
    [
        (
            dict(model__recognizer__head__num_classes=5),
            r'data set of train_dataloader has 4 classes \(a, b, c, d\), but the recognizer is made for 5',
        ),
        (
            dict(model__recognizer__head__in_channels=32),
            'training sample failed in the loss `task_sr` of the phase .recognize., in model.recognizer.head.fc: '
            'RuntimeError: mat1 and mat2 shapes',
        ),
        (
            dict(model__recognizer__head__loss=dict(type='CrossEntropyLoss', class_weight=[1.0] * 3)),
            'class_weight of model.recognizer.head.loss_module has 3 numbers; the recognizer has 4 classes',
        ),
        (dict(model__losses__tdp__features=[1]), 'model.losses.tdp.features names the feature map 1, but the recognizer returns 1'),
        (dict(val_evaluator__0__topk=5), 'failed in the metric Accuracy of val_evaluator: ValueError: Top-5 accuracy is unavail'),
        (
            dict(default_hooks__checkpoint__save_best='accuracy/top5'),
            "save_best is 'accuracy/top5'; allowed: 'accuracy/top1'. Did you mean 'accuracy/top1'",
        ),
    ],
)  # fmt: skip
def test_mistakes_of_a_classification(classes, changes, message):
    check(change(classes, **changes), message)


def test_more_folders_than_classes(classes, tmp_path):
    shutil.copytree(tmp_path / 'images/a', tmp_path / 'images/e')
    check(classes, r'has 5 classes \(a, b, c, d, e\), but the recognizer is made for 4')
