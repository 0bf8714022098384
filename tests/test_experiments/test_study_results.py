"""docs/study.md says what the raw results of the study say."""

import json
from collections import defaultdict

import pytest

from sr4ir_mm.experiments.tables import MAIN_METRICS
from tests.helpers.builders import ROOT

from .test_study import STUDY

RESULTS = sorted((ROOT / 'docs/study').glob('**/results.jsonl'))


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


def test_the_tables_in_the_docs_are_those_of_the_raw_results(results_file, tmp_path, tool):
    (tmp_path / 'results.jsonl').write_text(results_file.read_text())
    for path in results_file.parent.glob('*/*/seed_*/predictions.npz'):
        copy = tmp_path / path.relative_to(results_file.parent)
        copy.parent.mkdir(parents=True)
        copy.write_bytes(path.read_bytes())
    tool('compare').main(['--study', str(STUDY), '--results', str(tmp_path / 'results.jsonl')])
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
