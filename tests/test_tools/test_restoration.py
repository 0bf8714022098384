"""Restoration alone, from the command line, by the shipped configs of PCL-SR on tiny data."""

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DATASETS, DefaultScope

from sr4ir_mm.checkpoints import load_checkpoint
from sr4ir_mm.models import BicubicDownsample
from tests.conftest import ROOT

CONFIGS = ROOT / 'configs/pcl_sr'
BENCHMARKS = ('Set5', 'Set14', 'B100', 'Urban100', 'Manga109')


def write(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), image)


@pytest.fixture
def data(tmp_path, monkeypatch):
    """data/ with photographs, DIV2K and the benchmarks; each pixel of LR is a square of 4 pixels of HR."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.RandomState(0)
    photos = tmp_path / 'data/photos'
    for index in range(4):
        image = cv2.resize(rng.randint(0, 256, (9, 10, 3), dtype=np.uint8), (80, 72), interpolation=cv2.INTER_CUBIC)
        write(photos / f'{"train" if index < 3 else "val"}/{index}.png', image)
    places = [('DIV2K', 'DIV2K_train_HR_sub', 'DIV2K_train_LR_bicubic/X4_sub', 50)]
    places += [(name, 'GTmod12', 'LRbicx4', 9) for name in BENCHMARKS]
    for name, hr, lr, side in places:
        for index in range(2):
            image = rng.randint(0, 256, (side, side + 3, 3), dtype=np.uint8)
            write(tmp_path / f'data/{name}/{lr}/{index}.png', image)
            write(tmp_path / f'data/{name}/{hr}/{index}.png', image.repeat(4, 0).repeat(4, 1))
    (tmp_path / 'data/DIV2K/meta_info_DIV2K800sub_GT.txt').write_text('0.png (200,212,3)\n1.png (200,212,3)\n')
    return tmp_path


def run(tool, name, *options):
    """Train by a config and test what came out; the metrics."""
    small = [
        'train_cfg.max_iters=2',
        'train_cfg.val_interval=2',
        'train_dataloader.batch_size=2',
        'default_hooks.checkpoint.interval=2',
        *options,
    ]
    for split in ('train', 'val', 'test'):
        small += [f'{split}_dataloader.num_workers=0', f'{split}_dataloader.persistent_workers=False']
    tool('train').main([str(CONFIGS / name), '--cfg-options', *small])
    work_dir = f'work_dirs/{name[:-3]}'
    metrics = tool('test').main(
        [str(CONFIGS / name), f'{work_dir}/iter_2.pth', '--show-dir', 'show', '--cfg-options', *small[4:]]
    )
    return load_checkpoint(f'{work_dir}/iter_2.pth'), metrics


def test_photographs_with_and_without_the_contrastive_loss(tool, data):
    start, _ = run(tool, 'pretrain_edsr-tiny_x4_photos.py')
    assert not any(name.startswith('embedding') for name in start['state_dict'])
    pretrained = f'model.restorer.init_cfg.checkpoint={data}/work_dirs/pretrain_edsr-tiny_x4_photos/iter_2.pth'
    control, _ = run(tool, 'l1_edsr-tiny_x4_photos.py', pretrained)
    full, metrics = run(tool, 'edsr-tiny_x4_photos.py', pretrained)
    assert set(control['optimizer']) == {'restorer'} and set(full['optimizer']) == {'restorer', 'embedding'}
    name = 'restorer.conv_first.weight'
    values = [checkpoint['state_dict'][name] for checkpoint in (start, control, full)]
    # both went on from the same weights
    assert 0 < (values[1] - values[0]).abs().max() < 1e-3 and 0 < (values[2] - values[0]).abs().max() < 1e-3
    assert not torch.equal(values[1], values[2])
    assert metrics['PSNR'] > 10
    # LR | SR | HR, and no tiles of a recognizer that is not there
    height, width = 216, 240  # three times the image of 72×80
    picture = cv2.imread('show/3.png')
    assert height < picture.shape[0] < 2 * height and 3 * width < picture.shape[1] < 4 * width


def test_div2k_and_the_benchmarks(tool, data):
    tiny = ['model.restorer.init_cfg=None', 'model.restorer.mid_channels=8', 'model.restorer.num_blocks=1']
    _, metrics = run(tool, 'edsr-s_x4_div2k.py', 'model.parts.embedding.base_channels=4', *tiny)
    assert {f'{name}/{metric}' for name in BENCHMARKS for metric in ('PSNR', 'SSIM')} <= set(metrics)


def test_pairs_stay_pairs(data):
    """Crops, flips and transpositions do the same to LR and HR."""
    with DefaultScope.overwrite_default_scope('mmengine'):
        dataset = DATASETS.build(Config.fromfile(CONFIGS / 'edsr-s_x4_div2k.py').train_dataloader.dataset)
        first = [dataset[0] for _ in range(8)]
    for sample in first:
        assert sample['inputs'].dtype == torch.uint8 and sample['inputs'].shape == (3, 192, 192)
        assert torch.equal(sample['inputs'][:, ::4, ::4], sample['lr'])
        assert sample['data_samples'].img_path.endswith('DIV2K_train_HR_sub/0.png')
    assert len({sample['lr'].float().std(-1).sum().item() for sample in first}) > 2
    # BGR, as files are read
    image = cv2.imread('data/Set5/GTmod12/1.png')
    with DefaultScope.overwrite_default_scope('mmengine'):
        dataset = DATASETS.build(Config.fromfile(CONFIGS / 'edsr-s_x4_div2k.py').val_dataloader.dataset)
        paths = [dataset[index]['data_samples'].img_path for index in range(2)]
        sample = dataset[[path.endswith('1.png') for path in paths].index(True)]
    assert np.array_equal(sample['inputs'].permute(1, 2, 0).numpy(), image)
    assert sample['data_samples'].benchmark == 'Set5'


def test_lr_made_on_the_device_is_that_of_the_benchmarks():
    """Antialiased bicubic downsampling equals mmagic's stand-in for MATLAB's, but for the border."""
    from mmagic.datasets.transforms import MATLABLikeResize

    hr = torch.rand(1, 3, 48, 64)
    expected = MATLABLikeResize(keys=['img'], scale=0.25)(dict(img=hr[0].permute(1, 2, 0).double().numpy()))['img']
    lr = BicubicDownsample(4, antialias=True, quantize=False)(hr)[0].permute(1, 2, 0).numpy()
    assert np.abs(lr - expected)[3:-3, 3:-3].max() < 1e-5
