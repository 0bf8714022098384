"""docs/phases.md says of stochastic depth and batch norm what the raw results say."""

import shutil

from tests.helpers.builders import ROOT


def test_the_table_in_the_docs_is_that_of_the_raw_results(tool, tmp_path, capsys):
    results = tmp_path / 'results.jsonl'
    shutil.copy(ROOT / 'docs/train_mode/results.jsonl', results)
    tool('compare').main(['--study', str(ROOT / 'configs/_base_/study_train_mode.py'), '--results', str(results)])
    table = (tmp_path / 'train_mode.md').read_text()
    assert '| SR4IR < SR4IR, stochastic depth on |' in table
    assert table.strip() in (ROOT / 'docs/phases.md').read_text()
