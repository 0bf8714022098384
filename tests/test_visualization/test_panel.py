import logging
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData, PixelData

from sr4ir_mm.engine.hooks.panel import PanelHook
from sr4ir_mm.models.batch import Batch
from sr4ir_mm.visualization import PanelDrawer, Tile, compose

META = dict(classes=tuple('abcd'), palette=[[0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255]])


def annotate(sample, task):
    if task == 'segmentation':
        sample.gt_sem_seg = PixelData(data=torch.randint(0, 4, (1, 34, 45)))
    elif task == 'detection':
        sample.gt_instances = InstanceData(bboxes=torch.tensor([[2.0, 3.0, 20.0, 30.0]]), labels=torch.tensor([1]))
    else:
        sample.set_gt_label(2)


@pytest.fixture
def drawn(inferencer):
    def make(task, annotated=True, degrade=True):
        run = inferencer(task)
        bgr = np.random.RandomState(0).randint(0, 256, (34, 45, 3), dtype=np.uint8)
        (result,) = run.stream(bgr, degrade=degrade)
        if annotated:
            annotate(result.data_sample, task)
        drawer = PanelDrawer(run.model, run.dataset_meta, run.cfg.visualizer, min_height=60)
        return run.model, drawer, result.data_sample, drawer.row(result.data_sample)

    return make


@pytest.mark.parametrize('task', ['segmentation', 'detection', 'classification'])
def test_a_row_of_each_task(drawn, task):
    cascade, drawer, sample, row = drawn(task)
    assert [tile.title for tile in row] == [
        'LR',
        'SR',
        'HR',
        'prediction on LR',
        'prediction on SR',
        'prediction on HR',
        'ground truth',
        'TDP distance LR–HR',
        'TDP distance SR–HR',
    ]
    assert {tile.image.shape for tile in row} == {(68, 90, 3)}
    # what is written below is the loss that the training has
    batch = Batch(cascade, sample.hr[None], [(34, 45)], [sample], lr=sample.lr[None])
    batch._sr = sample.sr[None]
    if task != 'detection':  # which pads
        with torch.no_grad():
            loss = cascade.losses['tdp'](cascade, batch).item()
            assert row[-1].caption == f'mean {loss:.3g}'
    picture = drawer.compose([row, row], drawer.labels(sample))
    assert picture.shape[0] > 2 * 68 and picture.shape[1] > 9 * 90


def test_the_distance_map_has_the_mean_of_the_loss(drawn):
    from sr4ir_mm.visualization.panel import distance_map

    features = [torch.rand(1, 5, 8, 12), torch.rand(1, 7, 4, 6)]
    others = [torch.rand(1, 5, 8, 12), torch.rand(1, 7, 4, 6)]
    expected = 0.5 * (features[0] - others[0]).abs().mean() + 2 * (features[1] - others[1]).abs().mean()
    assert distance_map(features, others, [0.5, 2], (32, 48)).mean() == pytest.approx(expected.item(), rel=1e-5)


def test_pictures_of_a_low_resolution_image_and_of_one_without_labels(drawn):
    assert [tile.title for tile in drawn('segmentation', annotated=False, degrade=False)[3]] == [
        'LR',
        'SR',
        'prediction on LR',
        'prediction on SR',
    ]
    titles = [tile.title for tile in drawn('segmentation', annotated=False)[3]]
    assert 'ground truth' not in titles and 'prediction on HR' in titles


def test_captions_of_a_classifier_say_what_is_right(drawn):
    _, _, sample, row = drawn('classification')
    by_title = {tile.title: tile for tile in row}
    label = sample.pred_label.item()
    tile = by_title['prediction on SR']
    assert tile.caption == f'{"abcd"[label]} {sample.pred_score[label]:.2f}'
    assert tile.color == ((0, 120, 0) if label == 2 else (200, 0, 0))
    assert by_title['ground truth'].caption == 'c'


def test_ground_truth_is_drawn_where_it_is(drawn):
    """Segmentation: the tile of a class is in its color, mixed with the image."""
    _, drawer, sample, _ = drawn('segmentation')
    labels = torch.zeros(1, 34, 45, dtype=torch.long)
    labels[:, 17:] = 1
    sample.gt_sem_seg = PixelData(data=labels)
    tile = {tile.title: tile for tile in drawer.row(sample)}['ground truth'].image
    assert tile[40:, :, 0].mean() > tile[40:, :, 1].mean() + 50  # red below
    assert abs(tile[:30, :, 0].mean() - tile[:30, :, 1].mean()) < 20  # black above


def test_compose_has_a_legend_and_keeps_every_pixel():
    tile = np.random.RandomState(0).randint(0, 256, (50, 40, 3), dtype=np.uint8)
    picture = compose([[Tile(tile, 'a'), Tile(tile, 'a much longer title', 'caption')]], META, [1, 3])
    assert np.array_equal(picture[26:76, 8:48], tile)
    assert (picture == [255, 0, 0]).all(-1).any() and (picture == [0, 0, 255]).all(-1).any()
    assert not (picture[80:] == [0, 255, 0]).all(-1).any()


def test_compose_breaks_rows_that_are_too_wide():
    colors = ([200, 0, 0], [0, 200, 0], [0, 0, 200], [200, 200, 0], [0, 200, 200])
    row = [Tile(np.full((50, 400, 3), color, np.uint8), str(index), 'caption') for index, color in enumerate(colors)]
    whole, broken = (compose([row, row], META, [1], max_width) for max_width in (2100, 1300))
    assert whole.shape[1] == 5 * 408 + 8 and broken.shape[1] == 3 * 408 + 8
    for color in colors:  # each picture twice, with every pixel
        assert (whole == color).all(-1).sum() == (broken == color).all(-1).sum() == 2 * 50 * 400


def test_an_overview_is_from_all_over_the_data_set(tmp_path):
    """Data sets of classification are sorted by class, and their files may have the same names."""
    composed = []
    hook = PanelHook(out_dir=str(tmp_path), overview=3)
    hook._drawer = lambda *args: SimpleNamespace(
        row=lambda sample: sample.img_path,
        labels=lambda sample: set(),
        compose=lambda rows, labels: composed.append(rows) or np.zeros((2, 2, 3), np.uint8),
    )
    runner = SimpleNamespace(test_dataloader=SimpleNamespace(sampler=range(10)), logger=logging.getLogger())
    paths = [f'{"abcde"[index // 2]}/{index % 2}.png' for index in range(10)]
    for _ in range(2):  # a second test begins anew
        hook.before_test(runner)
        for index in range(0, 10, 2):
            hook.after_test_iter(
                runner, index, None, [SimpleNamespace(img_path=path) for path in paths[index : index + 2]]
            )
        hook.after_test(runner)
        assert composed[-1] == ['a/0.png', 'b/1.png', 'd/0.png']
    assert {path.name for path in tmp_path.iterdir()} == {
        '0.png',
        '1.png',
        'overview.png',
        *(f'{folder}_{name}.png' for folder in 'bcde' for name in '01'),
    }
