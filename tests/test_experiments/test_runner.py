"""What is run, in which order, and what happens where a run fails or was stopped."""

import csv
import json

import cv2
import numpy as np
import pytest
from mmengine.config import Config

from sr4ir_mm.checkpoints import load_checkpoint
from sr4ir_mm.errors import ConfigError
from sr4ir_mm.evaluation.predictions import save_predictions
from sr4ir_mm.experiments import runner
from sr4ir_mm.experiments.axes import Setting
from sr4ir_mm.experiments.runs import Run
from sr4ir_mm.utils.files import write_json


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


def test_test_images_are_for_the_figures_where_there_are_others_for_validation(tmp_path, monkeypatch):
    """Training records what validation gives; the figures are those of a test after it."""
    cfg = Config(dict(train_cfg=dict(max_epochs=1), val_dataloader=dict(a=1), test_dataloader=dict(a=2)))
    run = Run('sr4ir', 0, Setting(), tmp_path / 'sr4ir', 'configs/study/task.py', lambda checkpoints: cfg)
    scripts = []

    def execute(run, progress, script, *arguments):
        scripts.append(script)
        value = 90.0 if script == 'train.py' else 80.0
        (run.folder / 'train').mkdir(exist_ok=True)
        write_json(run.record, dict(run.progress(), metrics=dict(top1=value), iter=5, finished=True))
        save_predictions(run.folder / 'predictions.npz', dict(images=np.array([script])))

    monkeypatch.setattr(runner, 'execute', execute)
    runner.train_and_test(run, run.prepare(), None)
    run.finish()
    assert scripts == ['train.py', 'test.py']
    assert run.result['metrics'] == dict(top1=80.0) and run.result['val_metrics'] == dict(top1=90.0)
    for name, expected in (('predictions.npz', 'test.py'), ('val_predictions.npz', 'train.py')):
        assert np.load(run.folder / name)['images'].tolist() == [expected]
    assert run.result['iterations'] == 5 and 'commit' in run.result
    runner.train_and_test(run, cfg, None)  # nothing is left to do
    assert len(scripts) == 2
