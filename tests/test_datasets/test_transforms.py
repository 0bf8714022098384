import random
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config

from sr4ir_mm.datasets import Cached, CQMix, DegradeToLR, LoadImage, SetOriShape
from sr4ir_mm.errors import ConfigError
from tests.helpers.builders import ROOT


def test_cqmix_draws_a_grid_for_each_sample():
    transform = CQMix(grid_size=(4, 6))
    first, second = (transform(dict(inputs=None))['cqmix_grid'] for _ in range(2))
    assert first.shape == (4, 6)
    assert set(first.unique().tolist()) <= {0.0, 1.0}
    assert not torch.equal(first, second)


def test_cqmix_follows_the_seed():
    grids = []
    for _ in range(2):
        np.random.seed(3)
        grids.append(CQMix()(dict(inputs=None))['cqmix_grid'])
    assert torch.equal(*grids)


@pytest.mark.parametrize('prob, value', [(0, 0.0), (1, 1.0)])
def test_cqmix_at_the_limits(prob, value):
    assert (CQMix(prob=prob)(dict(inputs=None))['cqmix_grid'] == value).all()


@pytest.mark.parametrize(
    'kwargs, message',
    [(dict(grid_size=0), 'grid_size is 0'), (dict(grid_size=(8,)), 'grid_size'), (dict(prob=1.5), 'prob is 1.5')],
)
def test_cqmix_refuses_what_makes_no_grid(kwargs, message):
    with pytest.raises(ConfigError, match=message):
        CQMix(**kwargs)


def test_cqmix_belongs_behind_packing():
    with pytest.raises(ConfigError, match='after the packing transform'):
        CQMix()(dict(img=None))


@pytest.mark.parametrize('content', [b'', b'not an image'])
def test_an_image_that_cannot_be_decoded_is_named(tmp_path, content):
    path = tmp_path / 'broken.jpg'
    path.write_bytes(content)
    with pytest.raises(ValueError, match='The image .*broken.jpg cannot be read or decoded'):
        LoadImage()(dict(img_path=str(path)))


def test_a_missing_image_is_named(tmp_path):
    with pytest.raises(ValueError, match='nothing.jpg'):
        LoadImage()(dict(img_path=str(tmp_path / 'nothing.jpg')))


def test_cached_transforms_run_once_for_each_sample(tmp_path):
    paths = []
    for index in range(3):
        paths.append(str(tmp_path / f'{index}.png'))
        cv2.imwrite(paths[-1], np.full((8, 8, 3), index, np.uint8))
    # one image has 192 bytes: two are kept, the third is loaded each time
    cached = Cached([dict(type='sr4ir_mm.LoadImage')], max_gb=400 / 2**30)
    for path, index in [(path, index) for index, path in enumerate(paths)] * 2:
        results = cached(dict(img_path=path, sample_idx=index))
        assert (results['img'] == index).all() and results['img_shape'] == (8, 8)
        results['img'][:] = 99  # as an augmentation does
        results['flip'] = True
    for path in paths:
        Path(path).unlink()
    for index, path in enumerate(paths[:2]):
        results = cached(dict(img_path=path, sample_idx=index))
        assert (results['img'] == index).all() and 'flip' not in results
    with pytest.raises(ValueError, match='2.png cannot be read'):
        cached(dict(img_path=paths[2], sample_idx=2))


def test_set_ori_shape():
    assert SetOriShape()(dict(img_shape=(10, 20, 3), ori_shape=(100, 200)))['ori_shape'] == (10, 20)


REALWORLD = Config.fromfile(ROOT / 'configs/_base_/degradations/realworld_x4.py').realworld.to_dict()
del REALWORLD['type']


def packed(height, width, seed=0):
    return dict(inputs=torch.from_numpy(np.random.RandomState(seed).randint(0, 256, (3, height, width), np.uint8)))


@pytest.mark.parametrize('height, width', [(32, 48), (33, 50)])
def test_lr_is_the_image_shrunk_by_the_scale(height, width):
    data = packed(height, width)
    hr = data['inputs'].clone()
    lr = DegradeToLR(**REALWORLD)(data)['lr']
    assert lr.dtype == torch.uint8 and lr.shape == (3, -(-height // 4), -(-width // 4))
    assert torch.equal(data['inputs'], hr)


def test_lr_without_transforms_is_resized_only():
    color = torch.tensor([10, 100, 200], dtype=torch.uint8)[:, None, None]
    lr = DegradeToLR(scale=4, transforms=[])(dict(inputs=color.expand(3, 10, 8)))['lr']
    assert torch.equal(lr, color.expand(3, 3, 2))


def test_lr_is_another_each_time_but_the_same_with_a_seed():
    images = [packed(32, 32, seed)['inputs'] for seed in range(4)]

    def degrade(transform, order):
        lr = {index: transform(dict(inputs=images[index]))['lr'] for index in order}
        return torch.stack([lr[index] for index in range(4)])

    transform = DegradeToLR(**REALWORLD)
    assert not torch.equal(degrade(transform, range(4)), degrade(transform, range(4)))
    before = np.random.get_state()[1].copy(), random.getstate()
    transform = DegradeToLR(**REALWORLD, seed=0)
    first = degrade(transform, range(4))
    # whatever came before, here or in another worker
    assert torch.equal(first, degrade(transform, (2, 0, 3, 1)))
    assert torch.equal(first, degrade(DegradeToLR(**REALWORLD, seed=0), (3, 2, 1, 0)))
    assert not torch.equal(first, degrade(DegradeToLR(**REALWORLD, seed=1), range(4)))
    assert (np.random.get_state()[1] == before[0]).all() and random.getstate() == before[1]


def test_lr_belongs_behind_packing():
    with pytest.raises(ConfigError, match='after the packing transform'):
        DegradeToLR(scale=4, transforms=[])(dict(img=None))


def test_lr_refuses_what_is_no_scale():
    with pytest.raises(ConfigError, match='scale is 0.5; allowed: a whole number from 1'):
        DegradeToLR(scale=0.5, transforms=[])
