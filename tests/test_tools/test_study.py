"""The study: its protocols, its tables, and that docs/study.md says what its raw results say."""

import importlib.util
import json
import math
from collections import defaultdict

import cv2
import numpy as np
import pytest
from mmengine.config import Config

from sr4ir_mm.errors import ConfigError
from sr4ir_mm.evaluation.predictions import save_predictions
from sr4ir_mm.experiments.differences import Differences, difference_table
from sr4ir_mm.experiments.protocols import apply_protocol, load_protocols
from sr4ir_mm.experiments.report import MAIN_METRICS, markdown, summarize
from sr4ir_mm.registry import DATASETS
from tests.helpers.builders import ROOT

STUDY = ROOT / 'configs/_base_/study.py'
RESULTS = sorted((ROOT / 'docs/study').glob('**/results.jsonl'))
spec = importlib.util.spec_from_file_location('compare', ROOT / 'tools/compare.py')
compare = importlib.util.module_from_spec(spec)
spec.loader.exec_module(compare)


@pytest.fixture
def cfg():
    return Config.fromfile(ROOT / 'configs/study/sr4ir-pcl_resnet_edsr_x8_sign-digits.py')


@pytest.fixture
def protocols(cfg):
    return load_protocols(STUDY, cfg)


def losses(row):
    return {phase.name: set(phase.losses) for phase in row.phases}


def test_what_a_variant_leaves_out(protocols):
    sr4ir = dict(restore={'pixel', 'tdp'}, recognize={'task_sr', 'task_hr', 'task_cqmix'})
    assert losses(protocols['sr4ir']) == sr4ir
    assert losses(protocols['sr4ir-no-tdp']) == dict(sr4ir, restore={'pixel'})
    assert losses(protocols['sr4ir-no-cqmix']) == dict(sr4ir, recognize={'task_sr', 'task_hr'})
    assert losses(protocols['sr4ir-no-alternation']) == dict(joint=sr4ir['restore'] | sr4ir['recognize'])
    assert protocols['sr4ir-no-alternation'].phases[0]['update'] == ['restorer', 'recognizer']
    assert losses(protocols['sr4ir-pcl']) == dict(
        sr4ir, embed={'embedding'}, restore=sr4ir['restore'] | {'contrastive'}
    )


def test_the_control_of_the_diet(cfg, protocols):
    """Its recognizer learns what SR4IR's does, in front of it stands S→T's restorer."""
    row, sr4ir = protocols['s2t-diet'], protocols['sr4ir']
    assert [phase for phase in sr4ir.phases if phase['update'] == 'recognizer'] == row.phases
    assert row.start == protocols['s2t'].start
    made = apply_protocol(cfg, row, dict.fromkeys(row.start, 'some.pth'))
    assert made.optim_wrapper.restorer is None and made.model.restorer.init_cfg.prefix == 'restorer'


def test_a_variant_can_weigh_a_loss_otherwise(tmp_path, cfg):
    path = tmp_path / 'protocols.py'
    path.write_text("protocols = dict(x=dict(title='x', weights=dict(tdp=0.3, task_hr=2.0)))")
    own = {phase.name: phase for phase in cfg.train_cfg.phases}
    for phase in load_protocols(path, cfg)['x'].phases:
        expected = dict(own[phase.name].losses)
        if phase.name == 'restore':
            expected['tdp'] = dict(weight=0.3, begin=1)
        if phase.name == 'recognize':
            expected['task_hr'] = 2.0
        assert phase.losses == expected and phase['update'] == own[phase.name]['update']


@pytest.mark.parametrize('key, value', [('without', ['tpd']), ('weights', dict(tpd=1))])
def test_a_variant_can_only_change_what_is_there(key, value, tmp_path, cfg):
    path = tmp_path / 'protocols.py'
    path.write_text(f"protocols = dict(x=dict(title='x', {key}={value}))")
    with pytest.raises(ConfigError, match=rf"protocols\['x'\]\.{key} is 'tpd'; allowed: .*'tdp'"):
        load_protocols(path, cfg)


def test_every_protocol_starts_from_the_same_weights(cfg, protocols):
    """Each part that a protocol trains comes from the two first stages, each that it keeps from a whole training."""
    for name in Config.fromfile(STUDY).compare:
        row = protocols[name]
        made = apply_protocol(cfg, row, dict.fromkeys(row.start, 'some.pth'))
        updated = {
            part
            for phase in made.train_cfg.phases
            for part in ([phase['update']] if isinstance(phase['update'], str) else phase['update'])
        }
        for part, first, whole in (('recognizer', 'start-t', 'h2t'), ('restorer', 'start-s', 'sr')):
            # bilinear interpolation and clean images have nothing to start from
            if made.model[part] is None or made.model[part].type == 'sr4ir_mm.Interpolation':
                assert part not in row.start
                continue
            assert row.start[part] == (first if part in updated else whole), name
        assert made.train_cfg.max_epochs == cfg.train_cfg.max_epochs


def test_a_study_needs_no_configs_on_the_command_line():
    args = compare.parse_args(['--study', str(STUDY), '--seeds', '7'])
    assert [compare.Path(path).resolve() for path in args.configs] == [
        (STUDY.parent / path).resolve() for path in Config.fromfile(STUDY).configs
    ]
    assert args.seeds == [7] and args.protocols[0] == 'h2t' and args.baseline == 's2t'
    with pytest.raises(ConfigError, match='CONFIG is missing'):
        compare.parse_args([])
    with pytest.raises(ConfigError, match="--study is 'nowhere.py', which does not exist"):
        compare.parse_args(['--study', 'nowhere.py'])


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
    rows = summarize(results, ['s2t', 'sr4ir'], 'mIoU', 's2t', Differences(results, 'mIoU').interval)
    # of 1, 3 and 2 the mean is 2 and its standard error 1/√3; t of two degrees of freedom is 4.303 at 97.5 %
    interval = rows[1]['difference']
    assert interval.mean == pytest.approx(2)
    assert (interval.high - 2, 2 - interval.low) == pytest.approx((4.3027 / math.sqrt(3),) * 2, rel=1e-4)
    table = markdown(rows, dict(s2t='S→T', sr4ir='SR4IR'), 's2t').splitlines()
    assert table[0] == '| protocol | mIoU | − S→T [95 %] | seeds |'
    assert table[2] == '| S→T | 20.00 ± 10.00 | – | 0, 1, 2 |'
    assert '| +2.00 [-0.48, +4.48] | 0, 1, 2, 9 |' in table[3]
    assert table[4:] == ['', 'Intervals of 95 %: paired t over seeds.']
    assert 'difference' not in summarize(results, ['s2t'], 'mIoU')[0]


def test_fractions_have_three_digits():
    results = [result('s2t', 0, 0.3412), result('sr4ir', 0, 0.3734)]
    rows = summarize(results, ['s2t', 'sr4ir'], 'mIoU', 's2t', Differences(results, 'mIoU').interval)
    table = markdown(rows, dict(s2t='S→T', sr4ir='SR4IR'), 's2t').splitlines()
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
    # variances of the mean over seeds, 100/9, and over images that all seeds share, about 100 · .133 · .867 / 10 · 100
    # = 116
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


def test_tables_and_plots_from_raw_results(tmp_path, capsys):
    path = tmp_path / 'results.jsonl'
    write_results(path, [result('sr4ir', 0, 3.0, PSNR=20.0), result('s2t', 0, 2.0, PSNR='inf')])
    compare.main(['--study', str(STUDY), '--results', str(path)])
    table = (tmp_path / 'sr4ir-pcl_fpn_edsr_x4_scenes/table.md').read_text()
    assert table.splitlines()[2:] == ['| S→T | 2.00 | – | ∞ | 0 |', '| SR4IR | 3.00 | +1.00 | 20.00 | 0 |']
    assert table in capsys.readouterr().out
    assert '| S→T < SR4IR | +1.00 | 1 of 1 | 1 |' in (tmp_path / 'claims.md').read_text()
    assert cv2.imread(str(tmp_path / 'sr4ir-pcl_fpn_edsr_x4_scenes/plot.png')).std() > 0
    write_results(path, [result('sr4r', 0, 3.0)])
    with pytest.raises(ConfigError, match=r"results\.jsonl: protocol is 'sr4r'; .* Did you mean 'sr4ir'"):
        compare.main(['--study', str(STUDY), '--results', str(path)])


def test_the_plot_is_of_what_is_compared(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(compare, 'plot', lambda rows, *_: drawn.append([row['protocol'] for row in rows]))
    path = tmp_path / 'results.jsonl'
    write_results(path, [result('start-t', 0, 1.0), result('s2t', 0, 2.0), result('sr4ir', 0, 3.0)])
    for protocols in ([], ['--protocols', 'sr4ir'], ['--protocols', 'l2t']):
        compare.main(['--study', str(STUDY), '--results', str(path), *protocols])
    assert drawn == [['s2t', 'sr4ir'], ['sr4ir'], ['s2t', 'sr4ir', 'start-t']]
    assert 'start of T' in next(tmp_path.glob('*/table.md')).read_text()


def test_test_images_are_for_the_figures_where_there_are_others_for_validation(tmp_path, monkeypatch):
    """Training records what validation gives; the figures are those of a test behind it."""
    run = compare.Run(tmp_path, 'sr4ir', 0)
    scripts = []

    def execute(run, progress, script, *arguments):
        scripts.append(script)
        value = 90.0 if script == 'train.py' else 80.0
        (run.folder / 'train').mkdir(exist_ok=True)
        compare.write_json(run.record, dict(run.progress(), metrics=dict(top1=value), iter=5, finished=True))
        save_predictions(run.folder / 'predictions.npz', dict(images=np.array([script])))

    monkeypatch.setattr(compare, 'execute', execute)
    run.prepare(Config(dict(train_cfg=dict(max_epochs=1), val_dataloader=dict(a=1), test_dataloader=dict(a=2))))
    compare.train_and_test(run, None)
    run.finish('configs/study/task.py')
    assert scripts == ['train.py', 'test.py']
    assert run.result['metrics'] == dict(top1=80.0) and run.result['val_metrics'] == dict(top1=90.0)
    for name, expected in (('predictions.npz', 'test.py'), ('val_predictions.npz', 'train.py')):
        assert np.load(run.folder / name)['images'].tolist() == [expected]
    assert run.result['iterations'] == 5 and 'commit' in run.result
    compare.train_and_test(run, None)  # nothing is left to do
    assert len(scripts) == 2


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


# ---------- the results that are in the repository


@pytest.fixture(scope='module', params=RESULTS, ids=lambda path: path.parent.name)
def results_file(request):
    return request.param


@pytest.fixture(scope='module')
def results(results_file):
    return [json.loads(line) for line in results_file.read_text().splitlines()]


def by_seed(results, protocol, metric):
    return {
        (run['config'], run['seed']): float(run['metrics'][metric])
        for run in results
        if run['protocol'] == protocol and metric in run['metrics']
    }


def test_the_tables_in_the_docs_are_those_of_the_raw_results(results_file, tmp_path):
    (tmp_path / 'results.jsonl').write_text(results_file.read_text())
    for path in results_file.parent.glob('*/*/seed_*/predictions.npz'):
        copy = tmp_path / path.relative_to(results_file.parent)
        copy.parent.mkdir(parents=True)
        copy.write_bytes(path.read_bytes())
    compare.main(['--study', str(STUDY), '--results', str(tmp_path / 'results.jsonl')])
    text = (ROOT / 'docs/study.md').read_text()
    tables = sorted(tmp_path.glob('*/table.md'))
    tables += [
        tmp_path / f'{name}.md'
        for name in dict(study=('claims', 'choices'), control=('claims',)).get(results_file.parent.name, ())
    ]
    assert tables
    for path in tables:
        assert path.read_text() in text, f'docs/study.md has another table than {path.relative_to(tmp_path)}'


def test_every_run_can_be_traced(results):
    seeds = defaultdict(set)
    for run in results:
        assert (ROOT / run['config']).is_file() and run['commit'] and not run['commit'].endswith('+')
        assert run['seconds'] > 0 and run['iterations'] > 0
        assert run['seed'] not in seeds[run['config'], run['protocol']], 'twice'
        seeds[run['config'], run['protocol']].add(run['seed'])
    # the same budget for all protocols of a task
    for config in {run['config'] for run in results}:
        assert len({run['iterations'] for run in results if run['config'] == config}) == 1


def test_the_docs_count_runs_and_hours(results):
    hours = sum(run['seconds'] for run in results) / 3600
    assert f'{len(results)} runs, {hours:.1f} hours' in (ROOT / 'docs/study.md').read_text()


def test_sr_is_no_worse_than_bilinear_interpolation(results):
    sr, bilinear = by_seed(results, 'sr', 'PSNR'), by_seed(results, 'l2t', 'PSNR')
    assert sr and all(value >= bilinear[key] for key, value in sr.items() if key in bilinear)


def test_clean_images_are_the_ceiling(results):
    metrics = [metric for metric in MAIN_METRICS if any(metric in run['metrics'] for run in results)]
    assert metrics
    if not any(run['protocol'] == 'h2t' for run in results):
        pytest.skip('a control, without H→T')
    for metric in metrics:
        ceiling = by_seed(results, 'h2t', metric)
        assert ceiling, metric
        for protocol in {run['protocol'] for run in results} - {'h2t'}:
            for key, value in by_seed(results, protocol, metric).items():
                assert value < ceiling.get(key, 100), (protocol, key)
