import csv
import importlib.util
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.config import Config

from sr4ir_mm.checkpoints import load_checkpoint
from sr4ir_mm.errors import ConfigError
from sr4ir_mm.experiments.protocols import apply_protocol, in_order, load_protocols, set_sigma
from sr4ir_mm.experiments.report import main_metric, summarize

ROOT = Path(__file__).parents[2]
DEMO = ROOT / 'configs/demo/sr4ir_fpn_edsr_x4_demo.py'
spec = importlib.util.spec_from_file_location('compare', ROOT / 'tools/compare.py')
compare = importlib.util.module_from_spec(spec)
spec.loader.exec_module(compare)


@pytest.fixture
def demo():
    return Config.fromfile(DEMO)


@pytest.fixture
def protocols(demo):
    return load_protocols(compare.PROTOCOLS, demo)


def test_order(protocols):
    assert in_order(['s2t', 'l2t', 'sr'], protocols) == ['sr', 's2t', 'l2t']
    assert in_order(['t2s', 'sr4ir', 'h2t'], protocols) == ['h2t', 't2s', 'sr4ir']
    with pytest.raises(ConfigError, match="--protocols is 'sr4r'; allowed: 'h2t', .* Did you mean 'sr4ir'"):
        in_order(['sr4r'], protocols)


@pytest.mark.parametrize('name', ['h2t', 'l2t', 'sr', 's+t', 'sr4ir'])
def test_protocols_without_contrastive_learning_drop_its_network(name, demo, protocols):
    cfg = Config.fromfile(ROOT / 'configs/demo/sr4ir-pcl_fpn_edsr_x4_demo.py')
    made = apply_protocol(cfg, load_protocols(compare.PROTOCOLS, cfg)[name], {})
    if name == 'sr4ir':  # what the config itself does
        assert made.model.parts.embedding and made.optim_wrapper.embedding
        return
    plain = apply_protocol(demo, protocols[name], {})
    assert made.model.to_dict() == plain.model.to_dict()
    assert made.optim_wrapper.to_dict() == plain.optim_wrapper.to_dict()


def test_a_protocol_without_recognizer_needs_a_metric_of_images(demo, protocols):
    demo.val_evaluator = dict(type='IoUMetric')
    with pytest.raises(ConfigError, match=r'val_evaluator has no metric of restored images.*sr4ir_mm\.PSNR'):
        apply_protocol(demo, protocols['sr'], {})


@pytest.fixture
def data(tmp_path):
    """Four images with two classes, as --cfg-options."""
    root = tmp_path / 'VOC2012'
    rng = np.random.default_rng(0)
    for folder in ('JPEGImages', 'SegmentationClass', 'ImageSets/Segmentation'):
        (root / folder).mkdir(parents=True)
    for index in range(4):
        labels = np.zeros((32, 32), np.uint8)
        labels[8:24, 4 + 4 * index : 20] = 1
        image = (labels[..., None] * 120 + rng.integers(0, 80, (32, 32, 3))).astype(np.uint8)
        cv2.imwrite(str(root / f'JPEGImages/{index}.jpg'), image)
        cv2.imwrite(str(root / f'SegmentationClass/{index}.png'), labels)
    for split in ('train', 'val'):
        (root / f'ImageSets/Segmentation/{split}.txt').write_text('0\n1\n2\n3\n')
    options = [
        'train_cfg.max_epochs=2',
        'train_dataloader.batch_size=2',
        'model.recognizer.backbone.base_channels=4',
        'model.recognizer.backbone.stem_channels=4',
        'model.recognizer.neck.in_channels=[4,8,16,32]',
    ]
    for name in ('train', 'val', 'test'):
        options += [
            f'{name}_dataloader.dataset.data_root={root}',
            f'{name}_dataloader.num_workers=0',
            f'{name}_dataloader.persistent_workers=False',
        ]
    return options


@pytest.fixture
def run(data, tmp_path):
    """The command with these options."""

    def main(*arguments, extra=()):
        compare.main([str(DEMO), '--work-dir', str(tmp_path / 'out'), *arguments, '--cfg-options', *data, *extra])
        return tmp_path / 'out'

    return main


@pytest.fixture
def calls(monkeypatch):
    """Runs that take no time: each records a result, and what was started is listed."""
    calls, broken = [], set()

    def execute(run, progress, script, *arguments):
        calls.append((run.protocol, run.seed, script))
        progress.update()
        if (run.protocol, run.seed) in broken:
            raise compare.RunFailed(f'{run.name} failed: as planned')
        (run.folder / 'train').mkdir(exist_ok=True)
        (run.folder / 'train/last_checkpoint').write_text('/elsewhere/epoch_2.pth')
        cfg = Config.fromfile(run.config)
        metrics = dict(PSNR='inf' if run.protocol == 'h2t' else 20.0 + run.seed)
        if cfg.model.recognizer is not None:
            metrics.update(aAcc=90.0, mIoU=len(run.protocol) * 10.0 + 2 * run.seed)
        compare.write_json(
            run.record, dict(metrics=metrics, finished=True, seconds=5.0, peak_memory=100.0, memory_kind='RSS')
        )

    monkeypatch.setattr(compare, 'execute', execute)
    calls = type('Calls', (list,), dict(broken=broken))(calls)
    return calls


def test_runs_in_order_and_the_table(run, calls, capsys):
    out = run('--protocols', 's2t', 'h2t', '--seeds', '0', '1')
    assert calls == [(name, seed, 'train.py') for seed in (0, 1) for name in ('sr', 's2t', 'h2t')]
    assert 'Also run, because others start from it: sr.' in capsys.readouterr().out
    assert (out / 'table.md').read_text().splitlines() == [
        '| protocol | mIoU | PSNR | seconds | peak memory (RSS, MiB) | seeds |',
        '|---|---|---|---|---|---|',
        '| H→T | 31.00 ± 1.41 | ∞ | 5.00 ± 0.00 | 100 ± 0 | 0, 1 |',
        '| SR | – | 20.50 ± 0.71 | 5.00 ± 0.00 | 100 ± 0 | 0, 1 |',
        '| S→T | 31.00 ± 1.41 | 20.50 ± 0.71 | 5.00 ± 0.00 | 100 ± 0 | 0, 1 |',
    ]
    rows = list(csv.DictReader((out / 'table.csv').open()))
    assert [row['protocol'] for row in rows] == ['h2t', 'sr', 's2t']
    assert float(rows[2]['mIoU']) == 31 and float(rows[2]['mIoU deviation']) == pytest.approx(2**0.5)
    assert rows[1]['mIoU'] == ''
    assert cv2.imread(str(out / 'plot.png')).std() > 0
    # each seed starts from its own run
    for seed in (0, 1):
        cfg = Config.fromfile(out / f's2t/seed_{seed}/config.py')
        assert cfg.model.restorer.init_cfg.checkpoint == str(out / f'sr/seed_{seed}/train/epoch_2.pth')


def test_finished_runs_are_kept(run, calls, capsys):
    run('--protocols', 'l2t')
    run('--protocols', 'l2t', 'h2t')
    assert calls == [('l2t', 0, 'train.py'), ('h2t', 0, 'train.py')]
    assert 'Finished before: 1 of 2 runs.' in capsys.readouterr().out


def test_another_config_is_refused(run, calls):
    out = run('--protocols', 'l2t')
    with pytest.raises(ConfigError, match=r'l2t seed 0 with another config \(train_cfg\.max_epochs differs\)'):
        run('--protocols', 'l2t', extra=['train_cfg.max_epochs=3'])
    assert json.loads((out / 'l2t/seed_0/result.json').read_text())['metrics']['mIoU'] == 30


def test_a_failure_stops_only_what_depends_on_it(run, calls):
    calls.broken.add(('sr', 0))
    with pytest.raises(
        SystemExit, match='sr seed 0 failed: as planned\nerror: s2t seed 0 was left out.*from sr seed 0'
    ):
        run('--protocols', 's2t', 'l2t')
    calls.broken.clear()
    out = run('--protocols', 's2t', 'l2t')
    assert [name for name, *_ in calls] == ['sr', 'l2t', 'sr', 's2t']
    assert '| S→T | 30.00 |' in (out / 'table.md').read_text()


def test_mistakes_are_told_before_anything_runs(run, calls, tmp_path):
    with pytest.raises(ConfigError, match="--protocols is 'x'"):
        run('--protocols', 'x')
    with pytest.raises(ConfigError, match="CONFIG is 'nowhere.py', which does not exist"):
        compare.main(['nowhere.py'])
    with pytest.raises(ConfigError, match=r'train_dataloader\.dataset\.data_root'):
        run(extra=['train_dataloader.dataset.data_root=nowhere'])
    with pytest.raises(ConfigError, match='val_evaluator has no metric of restored images'):
        run('--protocols', 'l2t', 'sr', '--skip-metrics', 'PSNR')
    with pytest.raises(ConfigError, match='LPIPS lacks the weights of vgg16 .*no.pth'):
        run('--protocols', 'l2t', extra=['val_evaluator.1.type=sr4ir_mm.LPIPS', 'val_evaluator.1.backbone=no.pth'])
    with pytest.raises(ConfigError, match='--bootstrap is -1; allowed: 0, or a whole number from 2'):
        run('--bootstrap', '-1')
    assert calls == [] and not (tmp_path / 'out').exists()


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
    assert list(summarize(results, ['l2t'], 'aAcc')[0]) == [
        'protocol',
        'seeds',
        'aAcc',
        'PSNR',
        'seconds',
        'peak memory (GPU, MiB)',
    ]
    with pytest.raises(ConfigError, match="--metric is 'mAP'; allowed: 'aAcc', 'mIoU', 'PSNR'"):
        main_metric(results, 'mAP')


def test_an_unfinished_run_resumes(run):
    """A real one: the second process goes on from the first epoch of the first process."""
    out = run('--protocols', 'l2t')
    folder = out / 'l2t/seed_0'
    first = json.loads((folder / 'result.json').read_text())
    assert {'mIoU', 'PSNR'} <= set(first['metrics'])
    assert first['memory_kind'] in ('RSS', 'GPU') and first['peak_memory'] > 0 and first['seconds'] > 0
    # as if it had been stopped in its second epoch
    for name in ('result.json', 'record.json', 'train/epoch_2.pth'):
        (folder / name).unlink()
    (folder / 'train/last_checkpoint').write_text(str(folder / 'train/epoch_1.pth'))
    run('--protocols', 'l2t')
    again = json.loads((folder / 'result.json').read_text())
    log = (folder / 'output.txt').read_text().split('Epoch(val)')[-2]
    assert 'resumed epoch: 1, iter: 2' in log and 'Epoch(train) [1]' not in log.replace('  ', ' ')
    assert set(again['metrics']) == set(first['metrics'])
    # the seconds of the first epoch are counted
    earlier = load_checkpoint(folder / 'train/epoch_1.pth')['run_record']['seconds']
    assert again['seconds'] > earlier > 0


DENOISE = [str(ROOT / f'configs/denoise_highlevel/joint_{name}_demo.py') for name in ('fpn', 'resnet')]


@pytest.fixture
def study(calls, monkeypatch, tmp_path):
    """The command on both denoising demos, without their data and recognizers."""
    monkeypatch.setattr(compare, 'check_config', lambda *args: None)

    def main(*arguments, configs=DENOISE):
        compare.main([*configs, '--work-dir', str(tmp_path / 'out'), *arguments])
        return tmp_path / 'out'

    return main


def test_cross_task_starts_from_the_other_task(study, calls):
    out = study('--protocols', 'separate', 'joint', 'cross', '--sigmas', '15', '30', '--seeds', '0', '1')
    # two tasks, two sigmas, two seeds
    assert sorted(set(calls)) == [
        ('cross', 0, 'test.py'),
        ('cross', 1, 'test.py'),
        ('joint', 0, 'train.py'),
        ('joint', 1, 'train.py'),
        ('separate', 0, 'test.py'),
        ('separate', 1, 'test.py'),
        ('sr', 0, 'train.py'),
        ('sr', 1, 'train.py'),
    ]
    assert len(calls) == 4 * 8
    for task, other in (('fpn', 'resnet'), ('resnet', 'fpn')):
        for sigma in (15, 30):
            folder, source = (out / f'joint_{name}_demo/sigma_{sigma}' for name in (task, other))
            made = ('joint', 'separate', 'cross')
            cfg = {name: Config.fromfile(folder / f'{name}/seed_1/config.py') for name in made}
            starts = {name: each.model.restorer.init_cfg.checkpoint for name, each in cfg.items()}
            assert starts == dict(
                joint=str(folder / 'sr/seed_1/train/epoch_2.pth'),
                separate=str(folder / 'sr/seed_1/train/epoch_2.pth'),
                cross=str(source / 'joint/seed_1/train/epoch_2.pth'),
            )
            recognizer = Config.fromfile(DENOISE[task == 'resnet']).model.recognizer
            for each in cfg.values():
                assert each.model.degradation.sigma == sigma
                assert each.model.recognizer.init_cfg == recognizer.init_cfg
            assert cfg['joint'].train_cfg.phases[0].losses == dict(
                pixel=1.0, task_sr=(0.020 if task == 'fpn' else 0.0040) * 0.5 * 255**2
            )
            assert cfg['cross'].train_cfg is None and cfg['cross'].optim_wrapper is None
    table = (out / 'table.md').read_text()
    for title in ('joint_fpn_demo, σ = 15', 'joint_resnet_demo, σ = 30'):
        assert f'{title}\n\n| protocol |' in table
    assert table.count('| cross-task |') == 4
    assert (out / 'joint_fpn_demo/sigma_15/plot.png').exists()


def test_what_noise_and_seed_do_not_touch_is_run_once(study, calls):
    out = study('--protocols', 'clean', 'noisy', 'nlm', '--sigmas', '15', '30', '--seeds', '0', '1')
    assert sorted(name for name, *_ in calls) == ['clean'] * 2 + ['nlm'] * 4 + ['noisy'] * 4
    clean = Config.fromfile(out / 'joint_fpn_demo/clean/seed_0/config.py').model
    assert clean.restorer is None and clean.degradation is None
    nlm = Config.fromfile(out / 'joint_fpn_demo/sigma_30/nlm/seed_0/config.py').model
    assert nlm.restorer == dict(type='sr4ir_mm.NonLocalMeans', sigma=30)
    assert (out / 'joint_fpn_demo/sigma_30/table.md').read_text().count('| 0 |') == 3
    calls.clear()
    study('--protocols', 'clean', 'noisy', 'nlm', '--sigmas', '15', '30', '45', '--seeds', '0', '1')
    assert sorted(name for name, *_ in calls) == ['nlm'] * 2 + ['noisy'] * 2


def test_the_denoiser_can_have_a_config_of_its_own(study, calls):
    sr_config = str(ROOT / 'configs/denoise_highlevel/denoiser_sigma25_imagenet.py')
    out = study('--protocols', 'separate', '--sigmas', '15', '30', '--sr-config', sr_config)
    assert [name for name, *_ in calls].count('sr') == 2  # for both tasks
    cfg = Config.fromfile(out / 'sigma_30/sr/seed_0/config.py')
    assert cfg.train_cfg.max_iters == 1500000 and cfg.model.degradation.sigma == 30
    separate = Config.fromfile(out / 'joint_resnet_demo/sigma_30/separate/seed_0/config.py')
    assert separate.model.restorer.init_cfg.checkpoint == str(out / 'sigma_30/sr/seed_0/train/epoch_2.pth')


ABLATIONS = str(ROOT / 'configs/_base_/ablations.py')


def test_the_ablations_are_one_command(study, calls):
    config = str(ROOT / 'configs/sr4ir/resnet18_edsr_x4_cub.py')
    out = study('--study', ABLATIONS, '--skip-metrics', 'LPIPS', configs=[config])
    names = [name for name, *_ in calls]
    assert names == Config.fromfile(ABLATIONS).compare and len(names) == 9
    table = (out / 'table.md').read_text()
    for title in (
        'SR4IR without TDP',
        'SR4IR without alternation',
        'SR4IR, TDP at the first map',
        'SR4IR, CQMix 16×16',
    ):
        assert f'| {title} |' in table
    assert Config.fromfile(out / 'sr4ir-cqmix-p75/seed_0/config.py').train_dataloader.dataset.pipeline[-1].prob == 0.75
    first = Config.fromfile(out / 'sr4ir-tdp-first/seed_0/config.py')
    assert first.model.losses.tdp.features == [0]
    assert [metric.type for metric in first.test_evaluator] == ['Accuracy', 'sr4ir_mm.PSNR']
    with pytest.raises(ConfigError, match="--protocols is 'sr4ir-no-tpd'; .* Did you mean 'sr4ir-no-tdp'"):
        study('--study', ABLATIONS, '--protocols', 'sr4ir-no-tpd', configs=[config])
    with pytest.raises(
        ConfigError, match=r"protocols\['sr4ir-no-tdp'\]\.without is 'tdp'; allowed: 'pixel', 'task_sr'"
    ):
        study('--study', ABLATIONS, configs=DENOISE[:1])


def test_mistakes_of_several_tasks_are_told(study, calls):
    with pytest.raises(ConfigError, match="--protocols has 'cross', .* needs two configs, not 1"):
        study('--protocols', 'cross', configs=DENOISE[:1])
    with pytest.raises(ConfigError, match='their names must differ'):
        study(configs=DENOISE[:1] * 2)
    with pytest.raises(ConfigError, match='--sigmas is given, but model.degradation has no `sigma`'):
        study('--sigmas', '15', '--protocols', 'sr4ir', configs=[str(DEMO)])
    with pytest.raises(ConfigError, match='NonLocalMeans needs `sigma`, but .* has none; it has: type, scale'):
        study('--protocols', 'nlm', configs=[str(DEMO)])
    assert calls == []


def test_lambda_zero_keeps_the_recognizer_for_its_test(demo):
    cfg = Config.fromfile(DENOISE[0])
    made = apply_protocol(set_sigma(cfg, 50), load_protocols(compare.PROTOCOLS, cfg)['lambda0'], dict(restorer='a.pth'))
    assert made.model.recognizer is not None and made.model.degradation.sigma == 50
    assert made.train_cfg.phases[0].losses == dict(pixel=1.0, task_sr=0.0)
    assert cfg.model.degradation.sigma == 25


def test_the_raw_results(study, calls):
    out = study('--protocols', 'noisy', '--sigmas', '15', '30', configs=DENOISE[:1])
    study('--protocols', 'clean', configs=DENOISE[:1])
    lines = [json.loads(line) for line in (out / 'results.jsonl').read_text().splitlines()]
    assert [(line['protocol'], line.get('sigma')) for line in lines] == [('clean', None), ('noisy', 15), ('noisy', 30)]
    assert all(line['config'] == 'configs/denoise_highlevel/joint_fpn_demo.py' and line['metrics'] for line in lines)
