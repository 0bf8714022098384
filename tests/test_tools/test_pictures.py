import json

import cv2
import numpy as np
import pytest
from PIL import Image

from sr4ir_mm.errors import ConfigError


def test_browse_a_training(tool, config_file, voc, tmp_path, capsys):
    out = tmp_path / 'pictures'
    tool('browse_dataset').main([config_file, '--out-dir', str(out), '--num', '2'])
    assert '2 of 4 samples' in capsys.readouterr().out
    assert sorted(path.name for path in out.iterdir()) == ['000000.png', '000002.png', 'overview.png']
    picture = np.array(Image.open(out / '000000.png'))
    zoom, side, gap, top = 6, 32, 8, 26  # crops of 32 pixels, enlarged to at least 192
    tiles = [
        picture[top : top + side * zoom, gap + index * (side * zoom + gap) :][:, : side * zoom] for index in range(3)
    ]
    hr, lr = tiles[0][::zoom, ::zoom], tiles[1]
    source = cv2.imread(str(voc / 'JPEGImages/000000.jpg'))[..., ::-1]
    assert any(
        np.array_equal(source[row : row + side, column : column + side], hr)
        for row in range(40 - side + 1)
        for column in range(48 - side + 1)
    )
    assert np.array_equal(lr, cv2.resize(lr[:: zoom * 4, :: zoom * 4], (192, 192), interpolation=cv2.INTER_NEAREST))
    # the mixture: some of the 8×8 patches are those of HR, the others are not
    left = gap + 2 * (side * zoom + gap)
    mix = picture[top : top + side * zoom, left : left + side * zoom][::zoom, ::zoom]
    same = [
        np.array_equal(mix[row : row + 4, column : column + 4], hr[row : row + 4, column : column + 4])
        for row in range(0, side, 4)
        for column in range(0, side, 4)
    ]
    assert 10 < sum(same) < 54


def test_browse_refuses_a_split_that_is_not_there(tool, config_file, tmp_path):
    with pytest.raises(ConfigError, match='The config has no test_dataloader'):
        tool('browse_dataset').main(
            [
                config_file,
                '--split',
                'test',
                '--out-dir',
                str(tmp_path / 'out'),
                '--cfg-options',
                'test_dataloader=None',
                'test_cfg=None',
                'test_evaluator=None',
            ]
        )


@pytest.fixture
def runs(tmp_path):
    """Two logs; the first one was resumed, and its second part begins before the first one ends."""

    def write(path, entries, cut=''):
        path.parent.mkdir(parents=True)
        path.write_text('\n'.join(map(json.dumps, entries)) + cut)

    first = [dict(iter=step, epoch=1, loss_pixel=1 / step, time=1.0) for step in (10, 20, 30)]
    again = [dict(iter=step, epoch=1, loss_pixel=2 / step) for step in (30, 40)] + [dict(PSNR=20.5, step=1)]
    write(tmp_path / 'a/20260101/vis_data/scalars.json', first, '\n{"iter": 3')
    write(tmp_path / 'a/20260102/vis_data/scalars.json', again)
    write(tmp_path / 'b/20260101/vis_data/scalars.json', first)
    return tmp_path


def test_curves_are_joined_where_a_training_was_resumed(tool, runs):
    curves = tool('analysis/plot_logs').read_run(runs / 'a')
    assert curves['loss_pixel'] == {10: 0.1, 20: 0.05, 30: 2 / 30, 40: 0.05}
    assert curves['PSNR'] == {40: 20.5}
    assert 'time' not in curves


def test_smoothing(tool):
    assert tool('analysis/plot_logs').smooth({2: 4.0, 1: 2.0, 3: 9.0}, 2) == ([1, 2, 3], [2.0, 3.0, 6.5])


def test_what_coco_has_not_measured_is_no_curve(tool):
    is_empty = tool('analysis/plot_logs').is_empty
    runs = dict(a=dict(mAP_l={1: -1.0}, mAP={1: 0.5}), b=dict(mAP_l={1: -1.0, 2: -1.0}, mAP={1: -1.0}))
    assert is_empty('mAP_l', runs) and not is_empty('mAP', runs)


def test_plot_of_two_runs(tool, runs):
    tool('analysis/plot_logs').main([str(runs / 'a'), str(runs / 'b'), '--out', str(runs / 'curves.png')])
    assert Image.open(runs / 'curves.png').size[0] > 600


@pytest.mark.parametrize(
    'args, message',
    [
        (['nowhere'], 'nowhere has no scalars.json'),
        (['a', '--keys', 'PSRN'], "--keys is 'PSRN'; allowed: .*Did you mean 'PSNR'"),
        (['a', 'b', '--labels', 'x', 'x'], 'give each of the 2 runs its own'),
    ],
)
def test_mistakes_of_a_plot(tool, runs, monkeypatch, args, message):
    monkeypatch.chdir(runs)
    with pytest.raises(ConfigError, match=message):
        tool('analysis/plot_logs').main(args)
