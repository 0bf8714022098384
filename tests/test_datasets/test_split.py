"""The images of a training folder, divided between training and validation."""

import cv2
import numpy as np
import pytest

from sr4ir_mm.errors import ConfigError
from sr4ir_mm.registry import DATASETS


@pytest.fixture
def folder(tmp_path):
    """Twelve images in two classes."""
    for name in 'ab':
        (tmp_path / 'train' / name).mkdir(parents=True)
        for index in range(6):
            cv2.imwrite(str(tmp_path / f'train/{name}/{index}.png'), np.zeros((8, 8, 3), np.uint8))
    return dict(type='mmpretrain.CustomDataset', data_root=str(tmp_path), data_prefix='train')


def test_training_and_validation_share_no_image(folder):
    parts = {
        part: DATASETS.build(dict(type='sr4ir_mm.TrainValSplit', dataset=folder, part=part, every=3))
        for part in ('train', 'val')
    }
    images = {
        part: {dataset.get_data_info(index)['img_path'] for index in range(len(dataset))}
        for part, dataset in parts.items()
    }
    assert len(images['train']) == 8 and len(images['val']) == 4 and not images['train'] & images['val']
    assert {path.split('/')[-2] for path in images['val']} == {'a', 'b'}
    assert parts['val'].metainfo['classes'] == ('a', 'b')
    with pytest.raises(ConfigError, match="TrainValSplit.part is 'tain'"):
        DATASETS.build(dict(type='sr4ir_mm.TrainValSplit', dataset=folder, part='tain'))
    with pytest.raises(ConfigError, match='TrainValSplit.every is 1'):
        DATASETS.build(dict(type='sr4ir_mm.TrainValSplit', dataset=folder, part='val', every=1))
