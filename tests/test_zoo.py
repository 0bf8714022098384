"""The model index, and the package as `pip install .` lays it out: where mim and MMEngine look."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from mmengine.config import Config

from tests.conftest import ROOT

INDEX = yaml.safe_load((ROOT / 'model-index.yml').read_text())
METAFILES = [ROOT / path for path in INDEX['Import']]


def load(path):
    return yaml.safe_load(path.read_text())


def test_the_index_is_valid():
    import modelindex.load_model_index

    index = modelindex.load_model_index.load(str(ROOT / 'model-index.yml'))
    index.build_models_with_collections()
    assert len(index.models) == sum(len(load(path)['Models']) for path in METAFILES)


@pytest.mark.parametrize('path', METAFILES, ids=lambda path: path.parent.name)
def test_every_path_of_a_metafile(path):
    content = load(path)
    collections = {each['Name']: each for each in content['Collections']}
    for each in collections.values():
        assert (ROOT / each['README']).is_file() and each['Paper']['URL'].startswith('https://')
    for model in content['Models']:
        assert model['In Collection'] in collections
        assert (ROOT / model['Config']).is_file(), model['Config']
        # the name by which mim finds a config is that of its file; the folder's name may stand in front
        assert model['Name'].endswith((ROOT / model['Config']).stem)
        for result in model.get('Results') or ():
            assert (
                result['Task']
                and result['Dataset']
                and all(isinstance(value, (int, float)) for value in result['Metrics'].values())
            )
        # weights that are offered can be checked
        assert 'Weights' not in model or model['Weights'].rsplit('-', 1)[1].endswith('.pth')


#: the data set by the end of a config's name
DATA = {
    'voc': 'VOC2012',
    'cars': 'Stanford Cars',
    'cub': 'CUB-200-2011',
    'coco': 'COCO 2017',
    'ade20k': 'ADE20K',
    'imagenet': 'ImageNet-1k',
    'div2k': 'DIV2K',
}


@pytest.mark.parametrize('path', METAFILES, ids=lambda path: path.parent.name)
def test_a_metafile_names_the_data_of_each_config(path):
    for model in load(path)['Models']:
        data = DATA.get(Path(model['Config']).stem.removesuffix('-realworld').split('_')[-1])
        assert model.get('Metadata', {}).get('Training Data') == data, model['Name']


def test_names_are_unique():
    names = [model['Name'] for path in METAFILES for model in load(path)['Models']]
    assert len(set(names)) == len(names)


@pytest.fixture(scope='module')
def installed(tmp_path_factory):
    """What `pip install .` lays down, in a folder of its own."""
    source, target = tmp_path_factory.mktemp('source'), tmp_path_factory.mktemp('site')
    for name in ('sr4ir_mm', 'configs', 'tools'):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns('__pycache__'))
    for name in ('setup.py', 'pyproject.toml', 'MANIFEST.in', 'README.md', 'model-index.yml', 'requirements.txt'):
        shutil.copy(ROOT / name, source)
    subprocess.run(
        [
            sys.executable,
            '-m',
            'pip',
            'install',
            '-q',
            '--no-index',
            '--no-deps',
            '--no-build-isolation',
            '--disable-pip-version-check',
            '--target',
            target,
            source,
        ],
        check=True,
    )
    return target


def run(installed, folder, *args):
    """In a process that sees the installed package, and not the repository."""
    import os

    done = subprocess.run(
        [sys.executable, *args],
        cwd=folder,
        env=dict(os.environ, PYTHONPATH=str(installed)),
        capture_output=True,
        text=True,
    )
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
    assert run(installed, tmp_path, 'look.py').strip().startswith(str(installed))
    assert Config.fromfile(mim / 'configs/demo/sr4ir_fpn_edsr_x4_demo.py').model.scale == 4
    assert 'Train a model' in run(installed, tmp_path, mim / 'tools/train.py', '--help')
