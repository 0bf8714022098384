"""What is measured of λ: the rows of the study, and that docs/denoise_highlevel.md says what its raw results say."""

import json
from collections import defaultdict
from pathlib import Path

import pytest
from mmengine.config import Config

from sr4ir_mm.experiments.protocols import apply_protocol, load_protocols
from tests.helpers.builders import ROOT

STUDY = ROOT / 'configs/_base_/denoise_study.py'
DOCS = ROOT / 'docs/denoise_highlevel.md'
RESULTS = ROOT / 'docs/denoise_highlevel/results.jsonl'
CONFIGS = {Path(path).stem: ROOT / 'configs/_base_' / path for path in Config.fromfile(STUDY).configs}
TASK_METRICS = dict(joint_fpn_demo='mIoU', joint_resnet_demo='accuracy/top1')
WEIGHTS = (0.004, 0.02, 0.1, 0.5)


@pytest.mark.parametrize('task', CONFIGS)
def test_a_row_for_each_lambda(task):
    """They differ in λ alone, which is relative to a mean squared error on [0, 1]."""
    cfg = Config.fromfile(CONFIGS[task])
    rows = load_protocols(STUDY, cfg)
    mean_squared_error = cfg.model.losses.pixel.loss_weight
    assert mean_squared_error == 255**2 / 2
    made = {weight: apply_protocol(cfg, rows[f'joint-{weight}'], dict(restorer='start.pth')) for weight in WEIGHTS}
    made[0] = apply_protocol(cfg, rows['lambda0'], dict(restorer='start.pth'))
    for weight, each in made.items():
        assert each.train_cfg.phases[0].losses.pixel == 1
        assert each.train_cfg.phases[0].losses.pop('task_sr') / mean_squared_error == pytest.approx(weight)
    assert all(each.to_dict() == made[0].to_dict() for each in made.values())
    for weight in WEIGHTS:
        assert rows[f'cross-{weight}'].start == dict(restorer=f'joint-{weight}') and rows[f'cross-{weight}'].of_other
        assert not rows[f'cross-{weight}'].phases


@pytest.fixture(scope='module')
def results():
    return [json.loads(line) for line in RESULTS.read_text().splitlines()]


def values(results, task, protocol, metric):
    return [
        float(run['metrics'][metric])
        for run in results
        if Path(run['config']).stem == task and run['protocol'] == protocol
    ]


def test_the_tables_in_the_docs_are_those_of_the_raw_results(tmp_path, tool):
    (tmp_path / 'results.jsonl').write_text(RESULTS.read_text())
    tool('compare').main(['--study', str(STUDY), '--results', str(tmp_path / 'results.jsonl')])
    tables = [*tmp_path.glob('*/sigma_60/table.md'), tmp_path / 'claims.md']
    assert len(tables) == 3
    for path in tables:
        assert path.read_text() in DOCS.read_text(), f'the docs have another table than {path.relative_to(tmp_path)}'


def test_every_run_is_there_and_can_be_traced(results):
    seeds = defaultdict(list)
    for run in results:
        assert (ROOT / run['config']).is_file() and run['commit'] and not run['commit'].endswith('+')
        assert run.get('sigma') == (None if run['protocol'] == 'clean' else 60)
        seeds[Path(run['config']).stem, run['protocol']].append(run['seed'])
    once = ('clean', 'noisy', 'nlm')  # nothing in them is random
    for name in [*Config.fromfile(STUDY).compare, 'sr']:
        for task in TASK_METRICS:
            assert sorted(seeds[task, name]) == ([0] if name in once else [0, 1, 2]), (task, name)
    trained = [run for run in results if 'iterations' in run]
    assert len({run['iterations'] for run in trained}) == 1  # the same budget for all
    (masks,), (digits,) = (values(results, task, 'clean', metric) for task, metric in TASK_METRICS.items())
    assert f'Clean images, the ceiling: {masks:.2f} mIoU\nand {digits:.2f} % top-1' in DOCS.read_text()
    hours = sum(run['seconds'] for run in trained) / 3600
    assert f'{len(results)} runs, {len(trained)} of them trainings of {hours:.1f} hours in all' in DOCS.read_text()


@pytest.mark.parametrize('task', TASK_METRICS)
def test_the_denoiser_learns(results, task):
    """Each is far above the noisy images, in dB and for the recognizer, and clean images are the ceiling."""
    (noisy,), (task_noisy,) = (values(results, task, 'noisy', metric) for metric in ('PSNR', TASK_METRICS[task]))
    for name in {run['protocol'] for run in results} - {'clean', 'noisy', 'sr'}:
        assert min(values(results, task, name, 'PSNR')) > noisy + 5, name
        assert min(values(results, task, name, TASK_METRICS[task])) > task_noisy, name
