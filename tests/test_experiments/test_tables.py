"""Tables, differences and plots of results."""

import json
import math

import cv2
import numpy as np
import pytest

from sr4ir_mm.errors import ConfigError
from sr4ir_mm.evaluation.predictions import save_predictions
from sr4ir_mm.experiments import report
from sr4ir_mm.experiments.differences import Differences, difference_table
from sr4ir_mm.experiments.tables import main_metric, markdown, summarize

from .test_study import STUDY


def result(protocol, seed, value, **metrics):
    return dict(protocol=protocol, seed=seed, metrics=dict(mIoU=value, **metrics))


def test_differences_are_those_of_the_same_seed():
    results = [
        result('s2t', 0, 10.0),
        result('s2t', 1, 30.0),
        result('s2t', 2, 20.0),
        result('sr4ir', 0, 11.0),
        result('sr4ir', 1, 33.0),
        result('sr4ir', 2, 22.0),
        result('sr4ir', 9, 99.0),
    ]
    summary = summarize(results, ['s2t', 'sr4ir'], 'mIoU', 's2t', Differences(results, 'mIoU').interval)
    # of 1, 3 and 2 the mean is 2 and its standard error 1/√3; t of two degrees of freedom is 4.303 at 97.5 %
    interval = summary.differences['sr4ir']
    assert interval.mean == pytest.approx(2)
    assert (interval.high - 2, 2 - interval.low) == pytest.approx((4.3027 / math.sqrt(3),) * 2, rel=1e-4)
    table = markdown(summary, dict(s2t='S→T', sr4ir='SR4IR')).splitlines()
    assert table[0] == '| protocol | mIoU | − S→T [95 %] | seeds |'
    assert table[2] == '| S→T | 20.00 ± 10.00 | – | 0, 1, 2 |'
    assert '| +2.00 [-0.48, +4.48] | 0, 1, 2, 9 |' in table[3]
    assert table[4:] == ['', 'Intervals of 95 %: paired t over seeds.']
    assert 'difference' not in summarize(results, ['s2t'], 'mIoU').columns


def test_fractions_have_three_digits():
    results = [result('s2t', 0, 0.3412), result('sr4ir', 0, 0.3734)]
    summary = summarize(results, ['s2t', 'sr4ir'], 'mIoU', 's2t', Differences(results, 'mIoU').interval)
    table = markdown(summary, dict(s2t='S→T', sr4ir='SR4IR')).splitlines()
    assert table[2:] == ['| S→T | 0.341 | – | 0 |', '| SR4IR | 0.373 | +0.032 | 0 |']


TITLES = dict(s2t='S→T', sr4ir='SR4IR', sr='SR', t2s='T→S')


def test_a_table_of_differences_over_all_tasks():
    runs = [
        result('s2t', 0, 10.0),
        result('s2t', 1, 30.0),
        result('s2t', 2, 20.0),
        result('sr4ir', 0, 11.0),
        result('sr4ir', 1, 33.0),
        result('sr4ir', 2, 22.0),
        result('sr', 0, math.nan),
    ]
    boxes = [
        dict(protocol=name, seed=4, metrics={'coco/bbox_mAP': 9.0}, val_metrics={'coco/bbox_mAP': value})
        for name, value in (('s2t', 0.5), ('sr4ir', 0.25))
    ]
    pairs = [('s2t', 'sr4ir'), ('sr4ir', 's2t'), ('sr', 'sr4ir'), ('t2s', 'sr4ir')]
    # of 1, 3 and 2 the mean is 2, its standard error 1/√3
    assert difference_table(dict(masks=runs), pairs, TITLES).splitlines() == [
        '| comparison | masks (mIoU) | seeds above | p, corrected |',
        '|---|---|---|---|',
        '| S→T < SR4IR | +2.00 [-0.48, +4.48] | 3 of 3 | 0.5 |',
        '| SR4IR < S→T | -2.00 [-4.48, +0.48] | 0 of 3 | 0.5 |',
        '',
        'Intervals of 95 %: paired t over seeds.',
    ]
    # by the other images, where only one task has figures
    table = difference_table(dict(masks=runs, boxes=boxes), pairs, TITLES, 'val_metrics').splitlines()
    assert table[0] == '| comparison | masks (mIoU) | boxes (coco/bbox_mAP) | seeds above | p, corrected |'
    assert table[2:] == ['| S→T < SR4IR | – | -0.250 | 0 of 1 | 1 |', '| SR4IR < S→T | – | +0.250 | 1 of 1 | 1 |']
    # one seed, where another pair has three, says so
    table = difference_table(dict(masks=[*runs, result('t2s', 1, 32.0)]), pairs, TITLES)
    assert '| T→S < SR4IR | +1.00 (1 seed) | 1 of 1 | 1 |' in table


def test_both_signs_are_marked_and_many_comparisons_are_paid_for():
    """Alone a difference is told from none, among twenty it is not; a large one still is, whichever way it goes."""

    def runs(protocol, differences):
        return [result(protocol, seed, 10.0 + difference) for seed, difference in enumerate(differences)]

    results = [
        *runs('s2t', [0.0] * 5),
        *runs('sr4ir', [1.0, 2.0, 1.0, 2.0, 3.0]),
        *runs('t2s', [-9.0, -9.1, -9.0, -8.9, -9.0]),
    ]
    noise = {f'noise_{index}': [-1.0, 1.2, 0.1, -0.4, 0.3] for index in range(20)}
    results += [run for name, values in noise.items() for run in runs(name, values)]
    pairs = [('s2t', name) for name in ('sr4ir', 't2s', *noise)]
    titles = dict(TITLES, **{name: name for name in noise})
    few = difference_table(dict(masks=results), pairs[:2], titles).splitlines()
    assert few[2].startswith('| S→T < SR4IR | **+1.80 [') and few[3].startswith('| S→T < T→S | **-9.00 [')
    many = difference_table(dict(masks=results), pairs, titles).splitlines()
    assert many[2].startswith('| S→T < SR4IR | +1.80 [') and '] * | 5 of 5' in many[2]
    assert many[3].startswith('| S→T < T→S | **-9.00 [') and '| 0 of 5 |' in many[3]
    assert '*' not in many[4]


def test_all_seeds_of_all_tasks_count_together():
    results = {
        name: [
            result(protocol, seed, value)
            for seed in range(3)
            for protocol, value in (('s2t', 10.0 * seed), ('sr4ir', 10.0 * seed + 1 + 20 * (seed == 2)))
        ]
        for name in 'abcd'
    }
    # twelve of twelve: 2 / 2¹²; the other row is the same the other way round, which doubles the p
    table = difference_table(results, [('s2t', 'sr4ir'), ('sr4ir', 's2t')], TITLES)
    assert '| 12 of 12 | **0.00098** |' in table and '| 0 of 12 | **0.00098** |' in table


def test_predictions_of_images_make_a_bootstrap_of_two_levels(tmp_path):
    """Ten images, of which SR4IR has all right and S→T nine or eight."""
    results = []
    for seed, wrong in enumerate([1, 2, 1]):
        for protocol, count in (('s2t', wrong), ('sr4ir', 0)):
            values = np.array([0.0] * count + [100.0] * (10 - count))
            folder = tmp_path / protocol / str(seed)
            save_predictions(
                folder / 'predictions.npz', {'mean:mIoU:values': values, 'images': np.arange(10).astype(str)}
            )
            results.append(result(protocol, seed, values.mean()) | dict(folder=str(folder)))
    stored, seeds_only = Differences(results, 'mIoU'), Differences(results, 'mIoU', replicates=0)
    wide, narrow = stored.interval('s2t', 'sr4ir'), seeds_only.interval('s2t', 'sr4ir')
    assert wide.mean == narrow.mean == pytest.approx(40 / 3)
    assert (wide.method, narrow.method) == ('bootstrap', 't')
    # variances of the mean over seeds, 100/9, and over images that all seeds share, about 100 · .133 · .867 / 10 · 100 = 116
    assert wide.high - wide.low > 2.5 * (narrow.high - narrow.low)
    table = difference_table(dict(masks=results), [('s2t', 'sr4ir')], TITLES)
    assert table.endswith('\nIntervals of 95 %: bootstrap over images and seeds.\n')
    # other images are not paired, and a file of another run is told
    save_predictions(
        tmp_path / 's2t/1/predictions.npz',
        {'mean:mIoU:values': np.full(10, 80.0), 'images': np.arange(10, 20).astype(str)},
    )
    assert Differences(results, 'mIoU').interval('s2t', 'sr4ir').method == 't'
    save_predictions(
        tmp_path / 's2t/1/predictions.npz', {'mean:mIoU:values': np.full(10, 70.0), 'images': np.arange(10).astype(str)}
    )
    with pytest.raises(ConfigError, match=r'predictions\.npz gives mIoU 70, the result of its run 80; delete the file'):
        Differences(results, 'mIoU').interval('s2t', 'sr4ir')


def write_results(path, results):
    path.write_text(
        ''.join(
            json.dumps(dict(each, config='configs/study/sr4ir-pcl_fpn_edsr_x4_scenes.py')) + '\n' for each in results
        )
    )


def test_tables_and_plots_from_raw_results(tmp_path, capsys, tool):
    path = tmp_path / 'results.jsonl'
    write_results(path, [result('sr4ir', 0, 3.0, PSNR=20.0), result('s2t', 0, 2.0, PSNR='inf')])
    tool('compare').main(['--study', str(STUDY), '--results', str(path)])
    table = (tmp_path / 'sr4ir-pcl_fpn_edsr_x4_scenes/table.md').read_text()
    assert table.splitlines()[2:] == ['| S→T | 2.00 | – | ∞ | 0 |', '| SR4IR | 3.00 | +1.00 | 20.00 | 0 |']
    assert table in capsys.readouterr().out
    assert '| S→T < SR4IR | +1.00 | 1 of 1 | 1 |' in (tmp_path / 'claims.md').read_text()
    assert cv2.imread(str(tmp_path / 'sr4ir-pcl_fpn_edsr_x4_scenes/plot.png')).std() > 0
    write_results(path, [result('sr4r', 0, 3.0)])
    with pytest.raises(ConfigError, match=r"results\.jsonl: protocol is 'sr4r'; .* Did you mean 'sr4ir'"):
        tool('compare').main(['--study', str(STUDY), '--results', str(path)])


def test_the_plot_is_of_what_is_compared(tmp_path, monkeypatch, tool):
    drawn = []
    monkeypatch.setattr(report, 'plot', lambda summary, protocols, *_: drawn.append(protocols))
    path = tmp_path / 'results.jsonl'
    write_results(path, [result('start-t', 0, 1.0), result('s2t', 0, 2.0), result('sr4ir', 0, 3.0)])
    for protocols in ([], ['--protocols', 'sr4ir'], ['--protocols', 'l2t']):
        tool('compare').main(['--study', str(STUDY), '--results', str(path), *protocols])
    assert drawn == [['s2t', 'sr4ir'], ['sr4ir'], ['s2t', 'sr4ir', 'start-t']]
    assert 'start of T' in next(tmp_path.glob('*/table.md')).read_text()


def test_the_metric_can_be_chosen():
    results = [
        dict(
            metrics=dict(aAcc=1.0, mIoU=2.0, PSNR=3.0),
            protocol='l2t',
            seed=0,
            seconds=1,
            peak_memory=1,
            memory_kind='GPU',
        )
    ]
    assert main_metric(results) == 'mIoU' and main_metric(results, 'aAcc') == 'aAcc'
    assert summarize(results, ['l2t'], 'aAcc').columns == ['aAcc', 'PSNR', 'seconds', 'peak memory (GPU, MiB)']
    with pytest.raises(ConfigError, match="--metric is 'mAP'; allowed: 'aAcc', 'mIoU', 'PSNR'"):
        main_metric(results, 'mAP')
