import importlib.util

import pytest
from mmengine.config import Config

from tests.conftest import ROOT


@pytest.fixture(scope='session')
def tool():
    """Import a script of tools/."""

    def load(name):
        spec = importlib.util.spec_from_file_location(name.replace('/', '_'), ROOT / 'tools' / f'{name}.py')
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture
def config_file(voc_cfg, tmp_path):
    """The tiny config as a file, as a user would pass it."""
    path = tmp_path / 'tiny.py'
    Config(voc_cfg).dump(str(path))
    return str(path)
