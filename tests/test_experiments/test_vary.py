"""Any key of the config is an axis of an experiment, with nothing written but its name."""

import json

import pytest
import torch
from mmengine.config import Config

from sr4ir_mm.checkpoints import load_checkpoint
from sr4ir_mm.errors import ConfigError
from sr4ir_mm.experiments.study import PROTOCOLS

TDP = 'train_cfg.phases.restore.losses.tdp.weight'


@pytest.fixture
def study_file(tmp_path):
    """Write a study that varies these keys over these values."""

    def write(vary, values):
        path = tmp_path / 'study.py'
        path.write_text(f"_base_ = '{PROTOCOLS}'\nvary = {vary!r}\nvalues = {values!r}\n")
        return str(path)

    return write


def configs(out):
    """The config of each run, by its folder."""
    return {str(path.parent.relative_to(out)): Config.fromfile(path) for path in sorted(out.glob('**/config.py'))}


def test_a_study_of_one_iteration(run, study_file):
    """A real one: what is varied reaches the training."""
    study = study_file(dict(tdp=TDP), dict(tdp=[0.0, 5.0]))
    once = ['train_cfg.max_epochs=1', 'train_dataloader.batch_size=4', 'train_cfg.phases.0.losses.tdp.begin=0']
    out = run('--study', study, '--protocols', 'sr4ir', extra=once)
    results = [json.loads(line) for line in (out / 'results.jsonl').read_text().splitlines()]
    assert [(result['tdp'], result['iterations']) for result in results] == [(0.0, 1), (5.0, 1)]
    without, with_tdp = (
        load_checkpoint(out / f'tdp_{weight}/sr4ir/seed_0/train/epoch_1.pth')['state_dict'] for weight in (0, 5)
    )
    restorer = [name for name in without if name.startswith('restorer.') and without[name].is_floating_point()]
    assert any(not torch.equal(without[name], with_tdp[name]) for name in restorer)
    for weight, result in zip((0, 5), results):
        cells = (out / f'tdp_{weight}/table.md').read_text().splitlines()[2].split('|')
        assert cells[1] == ' SR4IR '
        assert float(cells[2]) == pytest.approx(result['metrics']['mIoU'], abs=0.006)
        assert float(cells[3]) == pytest.approx(result['metrics']['PSNR'], abs=0.006)


def test_the_overview_has_a_column_for_each_point(run, calls, study_file):
    """What the axis does not touch is run once and stands in each column."""
    out = run('--study', study_file(dict(tdp=TDP), dict(tdp=[0.1, 0.2])), '--protocols', 'sr4ir', 'h2t')
    assert sorted(name for name, *_ in calls) == ['h2t', 'sr4ir', 'sr4ir']
    assert (out / 'axes.md').read_text().splitlines()[:6] == [
        'sr4ir_fpn_edsr_x4_demo',
        '',
        '| mIoU | tdp = 0.1 | tdp = 0.2 |',
        '|---|---|---|',
        '| H→T | 30.00 | 30.00 |',
        '| SR4IR | 50.00 | 50.00 |',
    ]
    for value in ('0.1', '0.2'):
        assert '| H→T |' in (out / f'tdp_{value}/table.md').read_text()


def test_several_axes_make_all_combinations(run, calls, study_file):
    study = study_file(
        dict(border='val_evaluator.PSNR.border', lr='optim_wrapper.restorer.optimizer.lr'),
        dict(border=[0, 8], lr=[1e-3, 1e-4]),
    )
    out = run('--study', study, '--protocols', 'sr4ir', 'l2t')
    found = {
        name: (cfg.val_evaluator[1].border, cfg.optim_wrapper.restorer and cfg.optim_wrapper.restorer.optimizer.lr)
        for name, cfg in configs(out).items()
    }
    # bilinear interpolation learns nothing at a rate
    assert found == {
        **{f'border_{b}/lr_{lr:g}/sr4ir/seed_0': (b, lr) for b in (0, 8) for lr in (1e-3, 1e-4)},
        **{f'border_{b}/l2t/seed_0': (b, None) for b in (0, 8)},
    }
    assert len(calls) == 6
    assert (out / 'border_8/lr_0.0001/table.md').read_text().count('→T |') == 1
    assert 'border = 8, lr = 0.0001\n\n| protocol |' in (out / 'table.md').read_text()


def test_an_axis_of_several_keys(run, calls, study_file):
    """The scale stands at three places; the restorer of a protocol follows it."""
    keys = ['model.scale', 'model.degradation.scale', 'model.restorer.upscale_factor']
    out = run('--study', study_file(dict(scale=keys), dict(scale=[2, 4])), '--protocols', 'sr4ir', 'l2t')
    for scale in (2, 4):
        sr4ir, l2t = (configs(out)[f'scale_{scale}/{name}/seed_0'].model for name in ('sr4ir', 'l2t'))
        assert sr4ir.scale == sr4ir.degradation.scale == sr4ir.restorer.upscale_factor == scale
        assert l2t.scale == l2t.degradation.scale == l2t.restorer.scale == scale


def test_values_that_are_no_numbers_have_names(run, calls, study_file):
    values = {
        'bicubic': dict(type='sr4ir_mm.BicubicDownsample', scale=4),
        'noise 9/255': dict(type='sr4ir_mm.GaussianNoise', sigma=9),
    }
    out = run('--study', study_file(dict(kind='model.degradation'), dict(kind=values)), '--protocols', 'sr4ir', 'h2t')
    made = configs(out)
    assert list(made) == ['h2t/seed_0', 'kind_bicubic/sr4ir/seed_0', 'kind_noise-9-255/sr4ir/seed_0']
    assert made['kind_noise-9-255/sr4ir/seed_0'].model.degradation == values['noise 9/255']
    assert '| mIoU | kind = bicubic | kind = noise 9/255 |' in (out / 'axes.md').read_text()


def test_a_run_depends_on_what_it_starts_from(run, calls, study_file):
    """S→T learns by the recognizer's rate alone, but from a restorer that learned by the other."""
    study = study_file(dict(lr='optim_wrapper.restorer.optimizer.lr'), dict(lr=[1e-3, 1e-4]))
    out = run('--study', study, '--protocols', 's2t')
    for lr in ('0.001', '0.0001'):
        restorer = configs(out)[f'lr_{lr}/s2t/seed_0'].model.restorer
        assert restorer.init_cfg.checkpoint == str(out / f'lr_{lr}/sr/seed_0/train/epoch_2.pth')


def test_a_protocol_that_sets_the_key_itself_is_run_once(run, calls, study_file):
    """λ = 0 weighs the pixel loss by 1, whatever the config says."""
    study = study_file(dict(pixel='train_cfg.phases.restore.losses.pixel'), dict(pixel=[1.0, 2.0]))
    run('--study', study, '--protocols', 'lambda0', 'sr4ir')
    assert sorted(name for name, *_ in calls) == ['lambda0', 'sr', 'sr4ir', 'sr4ir']


def test_each_value_is_checked_as_a_config_is(run, calls, study_file, tmp_path):
    values = dict(data={'other': 'nowhere'})
    with pytest.raises(ConfigError, match="train_dataloader.dataset.data_root is 'nowhere', which does not exist"):
        run('--study', study_file(dict(data='train_dataloader.dataset.data_root'), values), '--protocols', 'sr4ir')
    assert calls == [] and not (tmp_path / 'out').exists()


def test_any_key_on_the_command_line(run, calls):
    out = run('--protocols', 'sr4ir', extra=['--vary', f'{TDP}=0.1,0.2'])
    weights = [cfg.train_cfg.phases[0].losses.tdp.weight for cfg in configs(out).values()]
    assert weights == [0.1, 0.2] and (out / f'{TDP}_0.1/sr4ir/seed_0/result.json').exists()


def test_tables_again_from_the_raw_results(run, calls, study_file, tool, tmp_path):
    study = study_file(dict(tdp=TDP), dict(tdp=[0.1, 0.2]))
    out = run('--study', study, '--protocols', 'sr4ir', 'h2t', '--seeds', '0', '1')
    again = tmp_path / 'again'
    again.mkdir()
    (again / 'results.jsonl').write_bytes((out / 'results.jsonl').read_bytes())
    tool('compare').main(['--study', study, '--results', str(again / 'results.jsonl')])
    assert (again / 'axes.md').read_text() == (out / 'axes.md').read_text()
    assert (again / 'sr4ir_fpn_edsr_x4_demo/tdp_0.1/table.md').exists()


def test_differences_of_each_point_have_a_column(run, calls, study_file):
    study = study_file(dict(tdp=TDP), dict(tdp=[0.1, 0.2]))
    with open(study, 'a') as file:
        file.write("configs = {'sr4ir_fpn_edsr_x4_demo.py': 'scenes'}\n")
        file.write("differences = dict(d=dict(title='D', metrics='metrics', pairs=[('h2t', 'sr4ir')]))\n")
    out = run('--study', study, '--protocols', 'sr4ir', 'h2t')
    head = (out / 'd.md').read_text().splitlines()[0]
    assert head == '| comparison | scenes, tdp = 0.1 (mIoU) | scenes, tdp = 0.2 (mIoU) | seeds above | p, corrected |'


@pytest.mark.parametrize(
    'vary, values, message',
    [
        ({'tpd': TDP}, {'tdp': [1]}, "An axis to vary is 'tdp'; allowed: 'sigma', 'tpd'. Did you mean 'tpd'"),
        (
            {'t': TDP + 'x'},
            {'t': [1]},
            f"The axis 't': the last step of '{TDP}x' is 'weightx'; .* Did you mean 'weight'",
        ),
        ({'t': 'model.tpd.features'}, {'t': [1]}, "The axis 't': a step of 'model.tpd.features' is 'tpd'"),
        ({'t': 'model.scale.x'}, {'t': [1]}, "The axis 't': 'model.scale.x' has nowhere to go; 'model.scale' is 4"),
        ({'t': TDP}, {'t': []}, "values of 't' is \\[\\]; allowed: one value or more"),
        ({'t': TDP}, {'t': ['a b', 'a-b']}, "values of 't' is .*, which differ in letters or digits"),
        ({'t': TDP}, {'t': [[0]]}, "values of 't' has \\[0\\], which makes no name of a folder; write a dict"),
        ({'seed': TDP}, {'seed': [1]}, "An axis to vary is called 'seed', as a part of each result is; rename it"),
    ],
)
def test_mistakes_are_told_before_anything_runs(vary, values, message, run, calls, study_file, tmp_path):
    with pytest.raises(ConfigError, match=message):
        run('--study', study_file(vary, values), '--protocols', 'sr4ir')
    assert calls == [] and not (tmp_path / 'out').exists()
