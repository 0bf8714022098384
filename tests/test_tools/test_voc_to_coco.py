import importlib.util
import json
from pathlib import Path

import pytest
from PIL import Image

SCRIPT = Path(__file__).parents[2] / 'tools/dataset_converters/voc_to_coco.py'
spec = importlib.util.spec_from_file_location('voc_to_coco', SCRIPT)
voc_to_coco = importlib.util.module_from_spec(spec)
spec.loader.exec_module(voc_to_coco)


def add_image(root, name, objects, size=(40, 30), stated=None):
    Image.new('RGB', size).save(root / f'JPEGImages/{name}.jpg')
    width, height = stated or size
    text = f'<annotation><size><width>{width}</width><height>{height}</height></size>'
    for label, difficult, box in objects:
        corners = ''.join(f'<{key}>{value}</{key}>' for key, value in zip(('xmin', 'ymin', 'xmax', 'ymax'), box))
        text += (
            f'<object><name>{label}</name><difficult>{difficult}</difficult>'
            # VOC marks parts of persons too, which are no objects
            f'<part><name>head</name><bndbox><xmin>1</xmin></bndbox></part><bndbox>{corners}</bndbox></object>'
        )
    (root / f'Annotations/{name}.xml').write_text(text + '</annotation>')
    with (root / 'ImageSets/Main/train.txt').open('a') as file:
        file.write(f'{name}\n')


@pytest.fixture
def root(tmp_path):
    for folder in ('JPEGImages', 'Annotations', 'ImageSets/Main'):
        (tmp_path / folder).mkdir(parents=True)
    add_image(tmp_path, 'a', [('dog', 0, (1, 1, 40, 30)), ('cat', 1, (11, 5.5, 20, 10))])
    add_image(tmp_path, 'b', [])
    return tmp_path


def run(root, *arguments):
    voc_to_coco.main([str(root), '--splits', 'train', '--classes', 'cat', 'dog', *arguments])
    return json.loads((root / 'annotations/train.json').read_text())


def test_content(root, capsys):
    found = run(root)
    assert found['categories'] == [dict(id=1, name='cat'), dict(id=2, name='dog')]
    assert found['images'] == [
        dict(id=1, file_name='a.jpg', width=40, height=30),
        dict(id=2, file_name='b.jpg', width=40, height=30),
    ]
    # pixels 1 to 40 are the whole width, half a pixel is cut off; a difficult object is an ordinary one
    assert [(one['bbox'], one['category_id'], one['iscrowd'], one['difficult']) for one in found['annotations']] == [
        ([0, 0, 40, 30], 2, 0, 0),
        ([10, 4, 10, 6], 1, 0, 1),
    ]
    assert '2 images, 2 objects, of which 1 are difficult' in capsys.readouterr().out


def test_mmdet_reads_it(root):
    from mmdet.datasets import CocoDataset

    run(root)
    dataset = CocoDataset(
        ann_file='annotations/train.json',
        data_root=str(root),
        data_prefix=dict(img='JPEGImages/'),
        metainfo=dict(classes=('cat', 'dog')),
        pipeline=[],
        test_mode=True,
    )
    info = dataset.get_data_info(0)
    assert len(dataset) == 2 and Path(info['img_path']).exists()
    assert [(one['bbox'], one['bbox_label'], one['ignore_flag']) for one in info['instances']] == [
        ([0, 0, 40, 30], 1, 0),
        ([10, 4, 20, 10], 0, 0),
    ]


def test_boxes_are_cut_at_the_border(root, capsys):
    add_image(root, 'c', [('dog', 0, (0, 0, 45, 30)), ('dog', 0, (41, 1, 45, 30))])
    assert [one['bbox'] for one in run(root)['annotations']][2:] == [[0, 0, 40, 30]]
    assert 'boxes without area: 1, in c.xml' in capsys.readouterr().out


def test_rerun_after_an_interruption(root, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(voc_to_coco, 'verify', stop)
        with pytest.raises(KeyboardInterrupt):
            run(root)
    assert not (root / 'annotations/train.json').exists()
    assert len(run(root)['images']) == 2
    assert [path.name for path in (root / 'annotations').iterdir()] == ['train.json']


def test_what_was_written_is_verified(root, tmp_path):
    content, _ = voc_to_coco.convert(root, 'train', ['cat', 'dog'])
    path = tmp_path / 'x.json'
    path.write_text(json.dumps(dict(content, annotations=content['annotations'][:1])))
    with pytest.raises(ValueError, match='its annotations differ from those of the XML files'):
        voc_to_coco.verify(path, content)


def test_contradictions_are_explained(root):
    with pytest.raises(SystemExit, match=r"a.xml has an object of the class 'cat'; allowed, by --classes: dog"):
        run(root, '--classes', 'dog')
    with pytest.raises(SystemExit, match='error: .*nothing.txt'):
        run(root, '--splits', 'nothing')
    (root / 'Annotations/b.xml').write_text('<annotation>')
    with pytest.raises(SystemExit, match='b.xml cannot be read as XML'):
        run(root)
    add_image(root, 'b', [], stated=(30, 40))
    with pytest.raises(SystemExit, match='b.xml says that the image has 30×40 pixels, but .*b.jpg has 40×30'):
        run(root)
