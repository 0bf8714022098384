"""``--protocol`` and ``--start`` of tools/train.py and tools/test.py."""

import json
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from sr4ir_mm.checkpoints import load_checkpoint
from sr4ir_mm.config import RUNNER_KEYS, check_config, load_config
from sr4ir_mm.errors import ConfigError
from sr4ir_mm.experiments.protocols import apply_protocol, load_protocols
from tests.helpers.builders import ROOT
from tests.test_ablations import differences

SHORT = ['--cfg-options', 'train_cfg.max_epochs=1']


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    """Where relative paths lead."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def train(tool, config_file):
    return lambda *args: tool('train').main([config_file, *args])


@pytest.fixture
def test(tool, config_file):
    return lambda *args: tool('test').main([config_file, *args])


@pytest.fixture
def built(monkeypatch):
    """The configs of which a runner would be built; nothing is trained."""
    found = []

    class Stop(Exception):
        pass

    def from_cfg(cfg):
        found.append(cfg)
        raise Stop

    monkeypatch.setattr(Runner, 'from_cfg', from_cfg)

    def build(command, *args):
        with pytest.raises(Stop):
            command(*args)
        return found[-1]

    return build


def part(path, name):
    state = load_checkpoint(path)['state_dict']
    return {key: value for key, value in state.items() if key.startswith(f'{name}.')}


def test_s2t_after_sr(train, test, tmp_path):
    """Each in a folder of its own; the second starts from the restorer of the first, and its test needs no start."""
    train('--protocol', 'sr', *SHORT)
    sr = tmp_path / 'sr_work/epoch_1.pth'
    assert not part(sr, 'recognizer')
    train('--protocol', 's2t', *SHORT)
    s2t = tmp_path / 's2t_work/epoch_1.pth'
    # what tools without the option take
    assert Config.fromfile(s2t.with_name('tiny.py')).train_cfg.phases[0].losses == dict(task_sr=1.0)
    assert not (tmp_path / 'work').exists()
    restorer, recognizer = part(s2t, 'restorer'), part(s2t, 'recognizer')
    assert recognizer and all(torch.equal(value, restorer[key]) for key, value in part(sr, 'restorer').items())
    sr.unlink()
    metrics = test(str(s2t), '--protocol', 's2t')
    assert 'mIoU' in metrics
    result = json.loads((tmp_path / 's2t_work/test.json').read_text())
    assert result['config'].endswith('tiny.py --protocol s2t')


def test_a_protocol_without_training_is_tested_as_its_parts_start(train, test, tmp_path):
    train(*SHORT)
    whole = tmp_path / 'work/epoch_1.pth'
    recognizer = [f'model.recognizer.init_cfg.{each}' for each in ('type=Pretrained', f'checkpoint={whole}')]
    options = ['--cfg-options', *recognizer, 'model.recognizer.init_cfg.prefix=recognizer']
    assert test('--protocol', 'separate', '--start', f'restorer={whole}', *options) == test(str(whole))
    with pytest.raises(ConfigError, match='Nothing learns in separate; use tools/test.py'):
        train('--protocol', 'separate', '--start', f'restorer={whole}')


def test_a_config_without_training_has_protocols_without_training(test, built, config_file):
    with open(config_file, 'a') as file:
        file.write('\ntrain_cfg = optim_wrapper = train_dataloader = None\n')
    with pytest.raises(
        ConfigError, match="The protocol 's2t' needs a training, but .*tiny.py has no train_cfg; allowed"
    ):
        test('--protocol', 's2t')
    cfg = built(test, '--protocol', 'noisy')
    assert cfg.model.restorer == dict(type='torch.nn.Identity') and cfg.model.recognizer is not None


def test_the_folder_can_be_chosen(train, built, tmp_path):
    assert built(train, '--protocol', 'l2t').work_dir == str(tmp_path / 'l2t_work')
    assert built(train, '--protocol', 'l2t', '--work-dir', 'here').work_dir == 'here'
    assert built(train, '--protocol', 'l2t', '--cfg-options', 'work_dir=there').work_dir == 'there'


def test_the_default_folder_is_named_after_protocol_and_config(train, built, tool, config_file):
    text = Path(config_file).read_text()
    lines = [line for line in text.splitlines() if not line.startswith('work_dir')]
    Path(config_file).write_text('\n'.join(lines))
    assert built(train, '--protocol', 's+t').work_dir == 'work_dirs/s+t_tiny'
    with pytest.raises(ConfigError, match='but work_dirs/sr_tiny/epoch_2.pth does not exist'):
        train('--protocol', 's2t', '--work-dir', 'elsewhere')


def test_a_start_is_named(train, built, tmp_path):
    path = tmp_path / 'mine.pth'
    torch.save(dict(state_dict={}), path)
    cfg = built(train, '--protocol', 's2t', '--start', f'restorer={path}')
    assert cfg.model.restorer.init_cfg == dict(type='Pretrained', checkpoint=str(path), prefix='restorer')
    # weights that the row does not speak of are those of the config
    options = [f'model.recognizer.init_cfg.{each}' for each in ('type=Pretrained', f'checkpoint={path}')]
    cfg = built(train, '--protocol', 's2t', '--start', f'restorer={path}', '--cfg-options', *options)
    assert cfg.model.recognizer.init_cfg.checkpoint == str(path)


@pytest.mark.parametrize(
    'arguments, message',
    [
        (['--protocol', 's2r'], "--protocol is 's2r'; allowed: 'h2t', .*Did you mean 'sr'"),
        (
            ['--protocol', 's2t'],
            r"The protocol 's2t' takes its restorer from 'sr', but .*/sr_work/epoch_2.pth does not exist; make it by "
            r'`python tools/train.py .*tiny.py --protocol sr`, or name another checkpoint by --start restorer=PATH',
        ),
        # another length of the training: the checkpoint in the middle of it does not count
        (['--protocol', 't2s', *SHORT], r'/h2t_work/epoch_1.pth does not exist; make it by .*--protocol h2t`'),
        (['--protocol', 'cross'], "from 'joint' of another config; name its checkpoint by --start restorer=PATH"),
        (['--protocol', 's2t', '--start', 'restorer=no.pth'], "--start restorer is 'no.pth', which does not exist"),
        (['--protocol', 's2t', '--start', 'no.pth'], "--start is 'no.pth'; write PART=PATH"),
        (['--protocol', 's2t', '--start', 'restorr=a.pth'], "'s2t' .* is 'restorr'; .*Did you mean 'restorer'"),
        (['--protocol', 'l2t', '--start', 'restorer=a.pth'], "'l2t' .* is 'restorer'; allowed: nothing here"),
        (['--start', 'restorer=a.pth'], '--start is given, but --protocol is not'),
        (
            ['--protocol', 's2t', '--cfg-options', 'model.restorer.init_cfg.checkpoint=a.pth'],
            "sets 'model.restorer.init_cfg.checkpoint', but the protocol 's2t' has its own model.restorer.init_cfg; "
            'write --start restorer=PATH',
        ),
        (
            ['--protocol', 'h2t', '--cfg-options', 'train_cfg.phases.1.losses.task_hr=2'],
            "sets 'train_cfg.phases.1.losses.task_hr', but the protocol 'h2t' has its own train_cfg.phases",
        ),
    ],
)
def test_a_mistake_is_told_before_training(train, tmp_path, arguments, message):
    with pytest.raises(ConfigError, match=message):
        train(*arguments)
    assert not list(tmp_path.rglob('*.pth'))


def test_a_test_of_a_checkpoint_takes_no_start(test, tmp_path):
    path = tmp_path / 'mine.pth'
    torch.save(dict(state_dict={}), path)
    with pytest.raises(ConfigError, match='--start is given, but CHECKPOINT, which has all weights, is too'):
        test(str(path), '--protocol', 's2t', '--start', f'restorer={path}')


def test_a_schedule_that_the_protocol_does_not_use_is_not_set(config_file, train, built):
    text = Path(config_file).read_text()
    schedule = "dict(recognizer=[dict(type='ConstantLR', factor={}, end=2)])"
    text += f'\nparam_scheduler = {schedule.format(0.5)}\nbaseline_param_scheduler = {schedule.format(0.2)}\n'
    Path(config_file).write_text(text)
    with pytest.raises(ConfigError, match='has its own param_scheduler; set baseline_param_scheduler'):
        train('--protocol', 'l2t', '--cfg-options', 'param_scheduler.recognizer.0.factor=0.1')
    cfg = built(train, '--protocol', 'l2t', '--cfg-options', 'baseline_param_scheduler.recognizer.0.factor=0.1')
    assert cfg.param_scheduler.recognizer[0].factor == 0.1
    assert built(train, '--protocol', 'sr4ir').param_scheduler.recognizer[0].factor == 0.5


@pytest.mark.parametrize('protocol', ['h2t', 'l2t', 'sr', 's2t', 't2s', 's+t', 'sr4ir'])
def test_train_and_compare_make_the_same_config(protocol, train, built, config_file, tmp_path):
    """tools/compare.py makes the config of a run by :func:`apply_protocol`, and adds the folder and its record."""
    start = tmp_path / 'start.pth'
    torch.save(dict(state_dict={}), start)
    overrides = {'train_cfg.max_epochs': 3, 'model.recognizer.decode_head.dropout_ratio': 0.3}
    cfg = load_config(config_file, overrides)
    check_config(cfg, overrides)
    row = load_protocols(ROOT / 'configs/_base_/protocols.py', cfg)[protocol]
    compared = apply_protocol(cfg, row, dict.fromkeys(row.get('start', {}), str(start)))
    starts = [f'{name}={start}' for name in row.get('start', {})]
    options = [*(['--start', *starts] if starts else []), '--cfg-options', *(f'{k}={v}' for k, v in overrides.items())]
    trained = built(train, '--protocol', protocol, *options)
    keys = set(RUNNER_KEYS) - {'work_dir'}
    assert not differences(*({key: each.get(key) for key in keys} for each in (compared.to_dict(), trained.to_dict())))
