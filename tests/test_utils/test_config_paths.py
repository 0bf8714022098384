"""Configs of this package by its name, and the batch that learning rates belong to."""

import subprocess
import sys
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.runner import Runner

from sr4ir_mm.config import check_auto_scale_lr, load_config
from sr4ir_mm.errors import ConfigError
from sr4ir_mm.experiments.protocol_options import PROTOCOLS

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


#: configs of the first edition that are gone: 76 of baselines and six of the demo
GONE = [
    *(
        f'baselines/{protocol}_{name}.py'
        for recognizer, data in (
            ('deeplabv3', 'voc'),
            ('faster-rcnn', 'voc'),
            ('resnet18', 'cars'),
            ('resnet18', 'cub'),
        )
        for protocol, names in {
            'h2t': [f'{recognizer}_{data}'],
            'l2t': [f'{recognizer}_x{scale}_{data}' for scale in (4, 8)],
            **dict.fromkeys(  # noqa: RUF024  read only
                ('sr', 's2t', 't2s', 's+t'),
                [f'{recognizer}_{net}_x{scale}_{data}' for net in ('edsr', 'swinir') for scale in (4, 8)],
            ),
        }.items()
        for name in names
    ),
    *(f'demo/{name}_demo.py' for net in ('fpn', 'fcos', 'resnet') for name in (f'h2t_{net}', f'l2t_{net}_x4')),
]


def test_a_config_that_is_gone_is_told_what_to_write_instead(tmp_path):
    assert len(GONE) == 82
    rows = Config.fromfile(PROTOCOLS).protocols
    for name in GONE:
        protocol, recognizer, *rest = Path(name).stem.split('_')
        with pytest.raises(
            ConfigError, match='which does not exist; use .* with tools/train.py or tools/test.py'
        ) as error:
            load_config(f'configs/{name}', {})
        config, _, option = str(error.value).split('; use ')[1].split(' with ')[0].split()
        assert (ROOT / config).is_file() and option == protocol in rows
        assert recognizer in config and Path(config).stem.endswith('_'.join(rest))
    # in a config of a user's own too
    (tmp_path / 'mine.py').write_text("_base_ = 'sr4ir_mm::baselines/s+t_faster-rcnn_swinir_x8_voc.py'\n")
    with pytest.raises(
        ConfigError, match=r'A _base_ of .*mine.py is .*use configs/sr4ir/faster-rcnn_swinir_x8_voc.py --protocol s\+t'
    ):
        load_config(str(tmp_path / 'mine.py'), {})


def test_another_base_that_is_not_there_is_named(tmp_path):
    (tmp_path / 'mine.py').write_text("_base_ = 'nowhere.py'\n")
    with pytest.raises(ConfigError, match=r"A _base_ of .*mine.py is '.*/nowhere.py', which does not exist\.$"):
        load_config(str(tmp_path / 'mine.py'), {})


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
