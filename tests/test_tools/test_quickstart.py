"""The quick start's seeds and table; README's table is that of the raw results in docs/quickstart."""

import json
import subprocess

import pytest

from tests.helpers.builders import ROOT

RESULTS = ROOT / 'docs/quickstart/results.jsonl'


@pytest.fixture
def quickstart_table(tool):
    return tool('quickstart_table')


def test_mean_lowest_and_highest(quickstart_table, tmp_path, monkeypatch, capsys):
    for name, values in (('l2t', (30.0, 33.0)), ('sr4ir', (40.0, 41.0))):
        for folder, value in zip((name, f'{name}_seed_3'), values):
            (tmp_path / folder).mkdir()
            (tmp_path / folder / 'test.json').write_text(json.dumps(dict(metrics=dict(mIoU=value, PSNR=value / 2))))
    for seeds, rows in (
        (
            '03',
            [
                '| bilinear (L→T) | 31.5 (30.0 to 33.0) | 15.75 dB (15.00 to 16.50) |',
                '| SR4IR | 40.5 (40.0 to 41.0) | 20.25 dB (20.00 to 20.50) |',
            ],
        ),
        ('3', ['| bilinear (L→T) | 33.0 | 16.50 dB |', '| SR4IR | 41.0 | 20.50 dB |']),
    ):
        monkeypatch.setattr('sys.argv', ['quickstart_table.py', str(tmp_path), *seeds])
        quickstart_table.main()
        assert all(row in capsys.readouterr().out.splitlines() for row in rows[:1])
        lines = [json.loads(line) for line in (tmp_path / 'results.jsonl').read_text().splitlines()]
        assert [line['seed'] for line in lines] == [int(seed) for seed in seeds] * 2
        assert quickstart_table.table(lines).splitlines()[2:] == rows


@pytest.mark.parametrize('seed', ['x', '-1', '1.5'])
def test_what_is_no_seed_is_told_before_anything_is_installed(seed):
    call = subprocess.run(['bash', str(ROOT / 'tools/quickstart.sh'), '0', seed], capture_output=True, text=True)
    assert call.returncode == 1
    assert (
        call.stdout
        == f"error: '{seed}' is not a seed; allowed are whole numbers from 0: bash tools/quickstart.sh 0 1 2\n"
    )


def test_the_table_of_the_readme_is_that_of_the_raw_results(quickstart_table):
    lines = [json.loads(line) for line in RESULTS.read_text().splitlines()]
    text = (ROOT / 'README.md').read_text()
    assert quickstart_table.table(lines) in text
    seeds = sorted({line['seed'] for line in lines})
    assert f'bash tools/quickstart.sh {" ".join(map(str, seeds))}' in text
