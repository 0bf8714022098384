"""The package as it is installed: commands, extras, what a wheel holds, and imports without a circle."""

import graphlib
import os
import re
import shutil
import subprocess
import sys

import pytest

from sr4ir_mm import __version__, cli
from tests.helpers.builders import ROOT

try:
    import tomllib
except ImportError:  # Python 3.10; mypy brings this one
    import tomli as tomllib

PROJECT = tomllib.loads((ROOT / 'pyproject.toml').read_text())['project']


@pytest.mark.parametrize('command', PROJECT['scripts'])
def test_a_command_runs_its_script(command, monkeypatch, capsys):
    module, name = PROJECT['scripts'][command].split(':')
    assert module == 'sr4ir_mm.cli'
    monkeypatch.setattr(sys, 'argv', [command, '--help'])
    with pytest.raises(SystemExit) as end:
        getattr(cli, name)()
    assert end.value.code == 0
    assert 'usage: ' in capsys.readouterr().out


def test_a_mistake_is_told_in_one_sentence(monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['sr4ir-train', 'no/such/config.py'])
    with pytest.raises(SystemExit, match='^error: .*no/such/config.py'):
        cli.train()


def test_a_wheel_has_commands_scripts_and_configs(tmp_path):
    """Outside the repository, as after ``pip install .``."""
    source, target = tmp_path / 'source', tmp_path / 'target'
    for name in ('sr4ir_mm', 'configs', 'tools'):
        shutil.copytree(ROOT / name, source / name, symlinks=True, ignore=shutil.ignore_patterns('__pycache__'))
    for name in ('pyproject.toml', 'setup.py', 'MANIFEST.in', 'README.md', 'LICENSE', 'model-index.yml'):
        shutil.copy(ROOT / name, source)
    pip = [sys.executable, '-m', 'pip', '--disable-pip-version-check', 'install', '--quiet', '--no-index']
    subprocess.run([*pip, '--no-deps', '--no-build-isolation', '--target', target, source], check=True, cwd=tmp_path)
    installed = target / 'sr4ir_mm/.mim'
    assert not any(path.is_symlink() for path in (installed, *installed.rglob('*')))
    assert {path.name for path in (target / 'bin').iterdir()} == set(PROJECT['scripts'])
    for config in (ROOT / 'configs').rglob('*.py'):
        assert (installed / config.relative_to(ROOT)).is_file()
    code = (
        'import sr4ir_mm; print(sr4ir_mm.__file__);'
        "from sr4ir_mm.config import load_config; print(load_config('user.py', {}).model.type)"
    )
    (tmp_path / 'user.py').write_text("_base_ = 'sr4ir_mm::sr4ir/deeplabv3_swinir_x4_voc.py'\n")
    env = dict(os.environ, PYTHONPATH=str(target))
    found = subprocess.run([sys.executable, '-c', code], env=env, cwd=tmp_path, capture_output=True, text=True)
    assert found.stdout.split() == [f'{target}/sr4ir_mm/__init__.py', 'sr4ir_mm.CascadeSegmentor'], found.stderr
    command = [sys.executable, target / 'bin/sr4ir-train', 'no/such/config.py']
    found = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True)
    assert found.returncode == 1 and re.search('^error: .*no/such/config.py', found.stderr, re.M), found.stderr


def test_extras_have_the_versions_of_the_requirements():
    pins = dict(re.findall(r'^(?:# )?([\w-]+)==([\w.]+)', (ROOT / 'requirements.txt').read_text(), re.M))
    extras = dict(each.split('==') for group in PROJECT['optional-dependencies'].values() for each in group)
    shared = extras.keys() & pins.keys()
    assert {name: extras[name] for name in shared} == {name: pins[name] for name in shared}
    assert shared == {'pytest', 'ruff', 'mypy', 'import-linter', 'onnx', 'onnxruntime', 'werkzeug'}


def test_the_citation_has_the_version_of_the_package():
    assert f'\nversion: {__version__}\n' in (ROOT / 'CITATION.cff').read_text()


def test_modules_import_each_other_in_no_circle():
    """Within a package too; tools/lint.sh checks the order of the packages."""
    grimp = pytest.importorskip('grimp', reason='import-linter is not installed')
    graph = grimp.build_graph('sr4ir_mm', cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    assert len(imports) > 50
    graphlib.TopologicalSorter(imports).prepare()  # raises CycleError with the circle
