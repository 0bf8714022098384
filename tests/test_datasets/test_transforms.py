import numpy as np
import pytest
import torch
from sr4ir_mm.datasets import CQMix, LoadImageFromFile, SetOriShape
from sr4ir_mm.utils import ConfigError


def test_cqmix_draws_a_grid_for_each_sample():
    transform = CQMix(grid_size=(4, 6))
    first, second = (transform(dict(inputs=None))['cqmix_grid'] for _ in range(2))
    assert first.shape == (4, 6)
    assert set(first.unique().tolist()) <= {0., 1.}
    assert not torch.equal(first, second)


def test_cqmix_follows_the_seed():
    grids = []
    for _ in range(2):
        np.random.seed(3)
        grids.append(CQMix()(dict(inputs=None))['cqmix_grid'])
    assert torch.equal(*grids)


@pytest.mark.parametrize('prob, value', [(0, 0.), (1, 1.)])
def test_cqmix_at_the_limits(prob, value):
    assert (CQMix(prob=prob)(dict(inputs=None))['cqmix_grid'] == value).all()


@pytest.mark.parametrize('kwargs, message', [(dict(grid_size=0), 'grid_size is 0'), (dict(grid_size=(8, )), 'grid_size'),
                                             (dict(prob=1.5), 'prob is 1.5')])
def test_cqmix_refuses_what_makes_no_grid(kwargs, message):
    with pytest.raises(ConfigError, match=message):
        CQMix(**kwargs)


def test_cqmix_belongs_behind_packing():
    with pytest.raises(ConfigError, match='behind the packing transform'):
        CQMix()(dict(img=None))


@pytest.mark.parametrize('content', [b'', b'not an image'])
def test_an_image_that_cannot_be_decoded_is_named(tmp_path, content):
    path = tmp_path / 'broken.jpg'
    path.write_bytes(content)
    with pytest.raises(ValueError, match='The image .*broken.jpg cannot be read or decoded'):
        LoadImageFromFile()(dict(img_path=str(path)))


def test_a_missing_image_is_named(tmp_path):
    with pytest.raises(ValueError, match='nothing.jpg'):
        LoadImageFromFile()(dict(img_path=str(tmp_path / 'nothing.jpg')))


def test_set_ori_shape():
    assert SetOriShape()(dict(img_shape=(10, 20, 3), ori_shape=(100, 200)))['ori_shape'] == (10, 20)
