"""The package as it is installed: commands, extras, what a wheel holds, and imports without a circle."""

import graphlib
import os
import re
import shutil
import subprocess
import sys
from importlib import metadata

import pytest
from mmengine.config import Config

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


@pytest.fixture(scope='module')
def installed(tmp_path_factory):
    """What `pip install .` lays down, in a folder of its own."""
    source, target = tmp_path_factory.mktemp('source'), tmp_path_factory.mktemp('site')
    for name in ('sr4ir_mm', 'configs', 'tools'):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns('__pycache__'))
    for name in ('setup.py', 'pyproject.toml', 'MANIFEST.in', 'README.md', 'LICENSE', 'model-index.yml'):
        shutil.copy(ROOT / name, source)
    pip = [sys.executable, '-m', 'pip', 'install', '-q', '--disable-pip-version-check', '--no-index', '--no-deps']
    subprocess.run([*pip, '--no-build-isolation', '--target', target, source], check=True)
    return target


def run(installed, folder, *args):
    """In a process that sees the installed package, and not the repository."""
    env = dict(os.environ, PYTHONPATH=str(installed))
    return subprocess.run([sys.executable, *args], cwd=folder, env=env, capture_output=True, text=True)


def run_well(installed, folder, *args):
    done = run(installed, folder, *args)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_installed_package(installed, tmp_path):
    mim = installed / 'sr4ir_mm/.mim'
    for folder in ('configs', 'tools'):
        found, expected = (
            {path.relative_to(root) for path in (root / folder).rglob('*.*') if path.suffix != '.pyc'}
            for root in (mim, ROOT)
        )
        assert found == expected
    # mim takes these two from there
    assert (mim / 'model-index.yml').read_text() == (ROOT / 'model-index.yml').read_text()
    assert (mim / 'tools/train.py').is_file()

    (tmp_path / 'mine.py').write_text(
        "_base_ = 'sr4ir_mm::demo/sr4ir_fpn_edsr_x4_demo.py'\nmodel = dict(restorer=dict(value_range=2))\n"
    )
    (tmp_path / 'look.py').write_text(
        'import sr4ir_mm\n'
        'from mmengine.registry import MODELS, init_default_scope\n'
        'from sr4ir_mm.config import load_config\n'
        "cfg = load_config('mine.py', {})\n"
        "assert '_scope_' not in cfg.train_dataloader and '_scope_' not in cfg.optim_wrapper\n"
        'init_default_scope(cfg.default_scope)\n'
        'model = MODELS.build(cfg.model)\n'
        "assert type(model).__name__ == 'CascadeSegmentor' and model.restoration.value_range == 2\n"
        'print(sr4ir_mm.__file__)\n'
    )
    assert run_well(installed, tmp_path, 'look.py').strip().startswith(str(installed))
    assert Config.fromfile(mim / 'configs/demo/sr4ir_fpn_edsr_x4_demo.py').model.scale == 4
    assert 'Train a model' in run_well(installed, tmp_path, mim / 'tools/train.py', '--help')


def test_the_installed_commands(installed, tmp_path):
    """Outside the repository, with the scripts of the wheel."""
    assert {path.name for path in (installed / 'bin').iterdir()} == set(PROJECT['scripts'])
    done = run(installed, tmp_path, installed / 'bin/sr4ir-train', 'no/such/config.py')
    assert done.returncode == 1 and re.search('^error: .*no/such/config.py', done.stderr, re.M), done.stderr


def test_extras_have_the_versions_of_the_requirements():
    pins = dict(re.findall(r'^(?:# )?([\w-]+)==([\w.]+)', (ROOT / 'requirements.txt').read_text(), re.M))
    extras = dict(each.split('==') for group in PROJECT['optional-dependencies'].values() for each in group)
    shared = extras.keys() & pins.keys()
    assert {name: extras[name] for name in shared} == {name: pins[name] for name in shared}
    assert shared == {'pytest', 'pytest-xdist', 'ruff', 'mypy', 'import-linter', 'onnx', 'onnxruntime', 'werkzeug'}


def test_the_citation_has_the_version_of_the_package():
    assert f'\nversion: {__version__}\n' in (ROOT / 'CITATION.cff').read_text()


def test_modules_import_each_other_in_no_circle():
    """Within a package too; tools/lint.sh checks the order of the packages."""
    grimp = pytest.importorskip('grimp', reason='import-linter is not installed')
    graph = grimp.build_graph('sr4ir_mm', cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    assert len(imports) > 50
    graphlib.TopologicalSorter(imports).prepare()  # raises CycleError with the circle


def test_mim_finds_the_configs():
    """Where mim looks, whichever way the package is installed."""
    site = metadata.distribution('sr4ir_mm').locate_file('')
    assert (site / 'sr4ir_mm/.mim/configs/sr4ir/deeplabv3_swinir_x4_voc.py').is_file()
    assert (site / 'sr4ir_mm/.mim/tools/train.py').is_file() and (site / 'sr4ir_mm/.mim/model-index.yml').is_file()
