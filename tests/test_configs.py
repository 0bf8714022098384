"""Every shipped config: it is thin, it loads, its model is built, and one iteration updates what its phases say.

One in which nothing learns predicts for a batch instead.
"""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from mmengine.config import Config
from mmengine.registry import DefaultScope, init_default_scope
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from sr4ir_mm.config.check import _check_keys
from sr4ir_mm.registry import MODELS

ROOT = Path(__file__).parents[1]
METHODS = sorted(folder for folder in (ROOT / 'configs').iterdir() if folder.is_dir() and folder.name != '_base_')
CONFIGS = sorted(path for folder in METHODS for path in folder.glob('*.py'))
RESTORERS = sorted((ROOT / 'configs/_base_/restorers').glob('*.py'))
SIDE = 64  # the smallest image that windows of 8 pixels allow at ×8
SIDES = dict(VGG=224)  # of backbones with fully connected layers
SMALL = {
    'mmagic.EDSRNet': dict(num_blocks=1, mid_channels=8),
    'mmagic.RRDBNet': dict(num_blocks=1, mid_channels=8, growth_channels=4),
    'mmagic.SwinIRNet': dict(depths=[1], num_heads=[2], embed_dim=8),
    'sr4ir_mm.MultiScaleDenoiser': dict(width=4),
    'sr4ir_mm.Spandrel': dict(n_resgroups=1, n_resblocks=1, n_feats=16),  # RCAN
}


STEPPED = set()  # what differs between configs that a step could show: each combination is trained once


def name_of(path):
    return path.relative_to(ROOT / 'configs').with_suffix('').as_posix()


def without_downloads(node):
    """The config without the weights it starts from."""
    if isinstance(node, dict):
        return type(node)(
            {
                key: without_downloads(value)
                for key, value in node.items()
                if key != 'init_cfg' or 'Pretrained' not in str(value)
            }
        )
    if isinstance(node, (list, tuple)):
        return type(node)(without_downloads(value) for value in node)
    return node


def seg_sample(side):
    from mmengine.structures import PixelData
    from mmseg.structures import SegDataSample

    labels = torch.randint(0, 2, (1, side, side))
    return SegDataSample(gt_sem_seg=PixelData(data=labels))


def det_sample(side):
    from mmdet.structures import DetDataSample
    from mmdet.structures.bbox import HorizontalBoxes
    from mmdet.structures.mask import BitmapMasks
    from mmengine.structures import InstanceData

    boxes = torch.tensor([[4.0, 4.0, 40.0, 40.0], [20.0, 8.0, 60.0, 56.0]])
    masks = np.zeros((2, side, side), np.uint8)
    masks[:, 20:40, 20:40] = 1
    return DetDataSample(
        gt_instances=InstanceData(
            bboxes=HorizontalBoxes(boxes), labels=torch.tensor([0, 1]), masks=BitmapMasks(masks, side, side)
        ),
        ignored_instances=InstanceData(bboxes=HorizontalBoxes(torch.zeros(0, 4)), labels=torch.zeros(0).long()),
    )


def cls_sample(side):
    from mmpretrain.structures import DataSample

    return DataSample().set_gt_label(torch.randint(0, 2, (1,)))


def image_sample(side):
    from mmengine.structures import BaseDataElement

    return BaseDataElement()


SAMPLES = dict(mmengine=image_sample, mmseg=seg_sample, mmdet=det_sample, mmpretrain=cls_sample)


def make_batch(cfg):
    """A batch of two images as the config's dataloader would bring it, of random content."""
    backbone = (cfg.model.get('recognizer') or {}).get('backbone', {})
    side = SIDES.get(backbone.get('type'), SIDE)
    samples = []
    for index in range(2):
        sample = SAMPLES[cfg.default_scope](side)
        sample.set_metainfo(
            dict(img_path=f'{index}.png', ori_shape=(side, side), img_shape=(side, side), scale_factor=(1.0, 1.0))
        )
        samples.append(sample)
    image = torch.randint(0, 256, (2, 3, side, side), dtype=torch.uint8)
    batch = dict(inputs=list(image), data_samples=samples, cqmix_grid=[torch.eye(8), 1 - torch.eye(8)])
    if cfg.model.get('restorer') and not cfg.model.get('degradation'):
        scale = cfg.model.scale
        batch['lr'] = list(image[..., ::scale, ::scale])
    return batch


def reduced(cfg, work_dir):
    """The config with a small restorer, for one iteration, without pictures, checkpoints and validation."""
    cfg.model = without_downloads(cfg.model)
    if cfg.model.get('restorer'):
        cfg.model.restorer.update(SMALL.get(cfg.model.restorer.type, {}))
    if 'input_scale' in (cfg.model.get('task') or {}):
        cfg.model.task.input_scale = (SIDE, SIDE)  # what a detector would enlarge its input to
    recognizer = cfg.model.get('recognizer') or {}
    if (recognizer.get('data_preprocessor') or {}).get('size'):
        recognizer.data_preprocessor.size = (SIDE, SIDE)  # what a segmentor would pad its input to
    if (recognizer.get('train_cfg') or {}).get('rcnn'):
        recognizer.train_cfg.rcnn.sampler.num = 16  # regions that a head learns from
    cfg.log_level = 'ERROR'
    cfg.work_dir = str(work_dir)
    cfg.visualizer = dict(type='mmengine.Visualizer', vis_backends=[])
    if not cfg.get('train_cfg'):
        return cfg
    for phase in cfg.train_cfg.phases:
        for loss in phase.losses.values():
            if isinstance(loss, dict):
                loss.pop('begin', None)
    if 'max_iters' in cfg.train_cfg:
        cfg.train_cfg.max_iters = 1
    else:
        cfg.train_cfg.max_epochs = 1
    cfg.default_hooks.update(checkpoint=None, sampler_seed=None)
    for key in ('val_dataloader', 'val_cfg', 'val_evaluator', 'test_dataloader', 'test_cfg', 'test_evaluator'):
        cfg[key] = None
    return cfg


def state_of(model):
    return {name: copy.deepcopy(part.state_dict()) for name, part in model.parts.items()}


@pytest.fixture
def quick_runner(monkeypatch):
    """The runner without writing down the config and the environment, which takes longer than the rest of it."""
    monkeypatch.setattr(Config, 'pretty_text', '')
    monkeypatch.setattr(Runner, '_log_env', lambda *args: None)
    monkeypatch.setattr(Runner, 'dump_config', lambda *args: None)
    # the training starts from these weights, not from new ones
    monkeypatch.setattr(Runner, '_init_model_weights', lambda *args: None)


@pytest.mark.parametrize('path', CONFIGS, ids=name_of)
def test_config(path, tmp_path, quick_runner):
    lines = path.read_text().splitlines()
    assert len(lines) <= 16, f'{path.name} has {len(lines)} lines; a config says only what differs, in 16 or fewer'

    cfg = Config.fromfile(path)
    _check_keys(cfg, ())
    train_one_iteration(cfg, tmp_path)


@pytest.mark.parametrize('protocol', ['h2t', 'l2t', 'sr', 's2t', 's2t-diet', 't2s', 's+t'])
@pytest.mark.parametrize('name', ['deeplabv3_swinir_x4_voc', 'faster-rcnn_edsr_x8_voc', 'resnet18_edsr_x4_cub'])
def test_protocol(name, protocol, with_protocol, tmp_path, quick_runner):
    train_one_iteration(with_protocol(ROOT / f'configs/sr4ir/{name}.py', protocol), tmp_path)


def train_one_iteration(cfg, tmp_path):
    torch.manual_seed(0)
    cfg = reduced(cfg, tmp_path)
    init_default_scope(cfg.default_scope)
    batch = make_batch(cfg)
    if not cfg.get('train_cfg'):
        samples = MODELS.build(cfg.model).eval().test_step(batch)
        assert all(sample.sr.shape == sample.hr.shape and torch.isfinite(sample.sr).all() for sample in samples)
        assert all(
            'pred_score' in sample or 'pred_sem_seg' in sample or cfg.model.get('recognizer') is None
            for sample in samples
        )
        return
    runner = Runner.from_cfg(cfg)
    runner._train_dataloader = DataLoader([0], collate_fn=lambda _: batch)
    restorer = cfg.model.get('restorer') or {}
    recognizer = cfg.model.get('recognizer') or {}
    combination = (
        cfg.default_scope,
        recognizer.get('type'),
        str(recognizer.get('backbone')),
        cfg.train_cfg.type,
        str(runner.train_loop.phases),
        restorer.get('type'),
        cfg.model.scale,
        cfg.model.get('degradation') is None,
    )
    if combination in STEPPED:
        runner.build_optim_wrapper(cfg.optim_wrapper)
        return
    STEPPED.add(combination)
    before = state_of(runner.model)
    runner.train()
    assert runner.iter == 1
    updated = {part for phase in runner.train_loop.phases for part in phase.update}
    for name, part in state_of(runner.model).items():
        moved = [key for key, value in part.items() if not torch.equal(value, before[name][key])]
        assert bool(moved) == (name in updated), f'{name} is updated: {name in updated}; what moved: {moved[:3]}'


@pytest.mark.parametrize('path', [path for path in CONFIGS if path.parent.name == 'sr4ir'], ids=name_of)
def test_evaluators_have_the_columns_of_the_published_tables(path):
    """Task metric, PSNR and LPIPS of quantized images without a border of 8 pixels."""
    cfg = Config.fromfile(path)
    published = path.stem.removesuffix('-realworld').endswith(('_voc', '_cars', '_cub'))
    image_metrics = [dict(type='sr4ir_mm.PSNR', border=8), dict(type='sr4ir_mm.LPIPS', border=8)][: 1 + published]
    task = dict(mmseg='IoUMetric', mmdet='CocoMetric', mmpretrain='Accuracy')[cfg.default_scope]
    for evaluator in (cfg.val_evaluator, cfg.test_evaluator):
        found = [metric.type for metric in evaluator if metric not in image_metrics]
        assert found == [task]
        assert [metric for metric in evaluator if metric in image_metrics] == image_metrics


def test_div2k_is_evaluated_by_the_columns_of_its_table():
    cfg = Config.fromfile(ROOT / 'configs/_base_/datasets/div2k.py')
    expected = [dict(type=f'sr4ir_mm.{name}', border=4, convert_to='Y') for name in ('PSNR', 'SSIM')]
    assert cfg.val_evaluator == cfg.test_evaluator == expected


@pytest.mark.parametrize('path', RESTORERS, ids=lambda path: path.stem)
def test_restorer_at_its_size(path):
    """Building the cascade compares the factor of each shipped restorer with its scale."""
    restoration = Config.fromfile(path).restoration
    with DefaultScope.overwrite_default_scope('mmseg'):
        model = MODELS.build(
            dict(
                restoration,
                type='sr4ir_mm.CascadeSegmentor',
                recognizer=None,
                data_preprocessor=dict(type='mmseg.SegDataPreProcessor'),
            )
        )
    assert path.stem.endswith(f'_x{model.scale}')


@pytest.mark.parametrize('folder', METHODS, ids=lambda folder: folder.name)
def test_method_folder(folder):
    """Its README lists each config, its metafile each one too, by a path that exists."""
    readme = (folder / 'README.md').read_text()
    assert '```' in readme and '## Citation' in readme
    models = yaml.safe_load((folder / 'metafile.yml').read_text())['Models']
    listed = [model['Config'] for model in models]
    assert len({model['Name'] for model in models}) == len(models)
    assert sorted(listed) == [path.relative_to(ROOT).as_posix() for path in sorted(folder.glob('*.py'))]
    for path in folder.glob('*.py'):
        assert path.name in readme, f'{path.name} is not in {folder.name}/README.md'


def test_model_index():
    index = yaml.safe_load((ROOT / 'model-index.yml').read_text())
    assert sorted(index['Import']) == [f'configs/{folder.name}/metafile.yml' for folder in METHODS]
