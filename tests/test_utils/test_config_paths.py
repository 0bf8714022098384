"""Configs of this package by its name, and the batch that learning rates belong to."""

import subprocess
import sys
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.runner import Runner

from sr4ir_mm.config import check_auto_scale_lr, load_config
from sr4ir_mm.errors import ConfigError

ROOT = Path(__file__).parents[2]
CONFIGS = sorted(path for path in (ROOT / 'configs').glob('*/*.py') if path.parent.name != '_base_')


def test_a_base_of_this_package_without_a_wheel(tmp_path):
    """The links of the source tree lead to the configs, whatever folder the command runs in."""
    (tmp_path / 'mine.py').write_text(
        "_base_ = 'sr4ir_mm::demo/sr4ir_fpn_edsr_x4_demo.py'\nmodel = dict(restorer=dict(value_range=2))\n"
    )
    (tmp_path / 'look.py').write_text(
        f'import sys\nsys.path.insert(0, {str(ROOT)!r})\nfrom sr4ir_mm.config import load_config\n'
        "print(load_config('mine.py', {}).model.restorer.value_range)\n"
    )
    done = subprocess.run([sys.executable, 'look.py'], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.strip() == '2', done.stderr
    assert {path.name: path.resolve() for path in (ROOT / 'sr4ir_mm/.mim').iterdir()} == {
        name: ROOT / name for name in ('configs', 'tools', 'model-index.yml')
    }


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: f'{path.parent.name}/{path.stem}')
def test_each_config_says_which_batch_its_learning_rates_belong_to(path):
    cfg = Config.fromfile(path)
    if not cfg.get('train_cfg'):
        return
    check_auto_scale_lr(cfg)
    assert cfg.auto_scale_lr.enable is False
    # nothing is scaled when a config is run as it is
    assert cfg.auto_scale_lr.base_batch_size == cfg.train_dataloader.batch_size


@pytest.mark.parametrize('scale', [None, dict(), dict(base_batch_size='16'), dict(base_batch_size=0)])
def test_a_config_that_does_not_say_it(config_file, tool, scale):
    text = Path(config_file).read_text()
    Path(config_file).write_text(f'{text}\nauto_scale_lr = {scale!r}\n' if scale is not None else text)
    with pytest.raises(SystemExit, match='auto_scale_lr.base_batch_size is .*auto_scale_lr=dict'):
        tool('train').run_tool(lambda: tool('train').main([config_file, '--auto-scale-lr']))
    with pytest.raises(ConfigError, match='base_batch_size'):
        check_auto_scale_lr(load_config(config_file, {}))


def test_learning_rates_are_scaled(config_file, tool, monkeypatch):
    text = Path(config_file).read_text()
    Path(config_file).write_text(f'{text}\nauto_scale_lr = dict(base_batch_size=4)\n')
    rates = {}

    class Stop(Exception):
        pass

    def look(runner):
        runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
        runner.scale_lr(runner.optim_wrapper, runner.auto_scale_lr)
        rates.update((part, wrapper.param_groups[0]['lr']) for part, wrapper in runner.optim_wrapper.items())
        raise Stop

    monkeypatch.setattr(Runner, 'train', look)
    with pytest.raises(Stop):
        tool('train').main([config_file, '--auto-scale-lr'])
    # half of 1e-4 and 1e-2: two images instead of four
    assert rates == pytest.approx(dict(restorer=5e-5, recognizer=5e-3))
