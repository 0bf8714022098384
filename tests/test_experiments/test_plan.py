"""Which runs a study of several tasks and settings has, and what each starts from."""

import json

import pytest
from mmengine.config import Config

from sr4ir_mm.errors import ConfigError
from tests.helpers.builders import ROOT

from .conftest import DEMO, DENOISE


def test_cross_task_starts_from_the_other_task(study, calls):
    out = study('--protocols', 'separate', 'joint', 'cross', '--sigmas', '15', '30', '--seeds', '0', '1')
    # two tasks, two sigmas, two seeds
    assert sorted(set(calls)) == [
        ('cross', 0, 'test.py'),
        ('cross', 1, 'test.py'),
        ('joint', 0, 'train.py'),
        ('joint', 1, 'train.py'),
        ('separate', 0, 'test.py'),
        ('separate', 1, 'test.py'),
        ('sr', 0, 'train.py'),
        ('sr', 1, 'train.py'),
    ]
    assert len(calls) == 4 * 8
    for task, other in (('fpn', 'resnet'), ('resnet', 'fpn')):
        for sigma in (15, 30):
            folder, source = (out / f'joint_{name}_demo/sigma_{sigma}' for name in (task, other))
            made = ('joint', 'separate', 'cross')
            cfg = {name: Config.fromfile(folder / f'{name}/seed_1/config.py') for name in made}
            starts = {name: each.model.restorer.init_cfg.checkpoint for name, each in cfg.items()}
            assert starts == dict(
                joint=str(folder / 'sr/seed_1/train/epoch_2.pth'),
                separate=str(folder / 'sr/seed_1/train/epoch_2.pth'),
                cross=str(source / 'joint/seed_1/train/epoch_2.pth'),
            )
            recognizer = Config.fromfile(DENOISE[task == 'resnet']).model.recognizer
            for each in cfg.values():
                assert each.model.degradation.sigma == sigma
                assert each.model.recognizer.init_cfg == recognizer.init_cfg
            assert cfg['joint'].train_cfg.phases[0].losses == dict(
                pixel=1.0, task_sr=(0.020 if task == 'fpn' else 0.0040) * 0.5 * 255**2
            )
            assert cfg['cross'].train_cfg is None and cfg['cross'].optim_wrapper is None
    table = (out / 'table.md').read_text()
    for title in ('joint_fpn_demo, σ = 15', 'joint_resnet_demo, σ = 30'):
        assert f'{title}\n\n| protocol |' in table
    assert table.count('| cross-task |') == 4
    assert (out / 'joint_fpn_demo/sigma_15/plot.png').exists()


def test_what_noise_and_seed_do_not_touch_is_run_once(study, calls):
    out = study('--protocols', 'clean', 'noisy', 'nlm', '--sigmas', '15', '30', '--seeds', '0', '1')
    assert sorted(name for name, *_ in calls) == ['clean'] * 2 + ['nlm'] * 4 + ['noisy'] * 4
    clean = Config.fromfile(out / 'joint_fpn_demo/clean/seed_0/config.py').model
    assert clean.restorer is None and clean.degradation is None
    nlm = Config.fromfile(out / 'joint_fpn_demo/sigma_30/nlm/seed_0/config.py').model
    assert nlm.restorer == dict(type='sr4ir_mm.NonLocalMeans', sigma=30)
    assert (out / 'joint_fpn_demo/sigma_30/table.md').read_text().count('| 0 |') == 3
    calls.clear()
    study('--protocols', 'clean', 'noisy', 'nlm', '--sigmas', '15', '30', '45', '--seeds', '0', '1')
    assert sorted(name for name, *_ in calls) == ['nlm'] * 2 + ['noisy'] * 2


def test_the_denoiser_can_have_a_config_of_its_own(study, calls):
    sr_config = str(ROOT / 'configs/denoise_highlevel/denoiser_sigma25_imagenet.py')
    out = study('--protocols', 'separate', '--sigmas', '15', '30', '--sr-config', sr_config)
    assert [name for name, *_ in calls].count('sr') == 2  # for both tasks
    cfg = Config.fromfile(out / 'sigma_30/sr/seed_0/config.py')
    assert cfg.train_cfg.max_iters == 1500000 and cfg.model.degradation.sigma == 30
    separate = Config.fromfile(out / 'joint_resnet_demo/sigma_30/separate/seed_0/config.py')
    assert separate.model.restorer.init_cfg.checkpoint == str(out / 'sigma_30/sr/seed_0/train/epoch_2.pth')


ABLATIONS = str(ROOT / 'configs/_base_/ablations.py')


def test_the_ablations_are_one_command(study, calls):
    config = str(ROOT / 'configs/sr4ir/resnet18_edsr_x4_cub.py')
    out = study('--study', ABLATIONS, '--skip-metrics', 'LPIPS', configs=[config])
    names = [name for name, *_ in calls]
    assert names == Config.fromfile(ABLATIONS).compare and len(names) == 9
    table = (out / 'table.md').read_text()
    for title in (
        'SR4IR without TDP',
        'SR4IR without alternation',
        'SR4IR, TDP at the first map',
        'SR4IR, CQMix 16×16',
    ):
        assert f'| {title} |' in table
    assert Config.fromfile(out / 'sr4ir-cqmix-p75/seed_0/config.py').train_dataloader.dataset.pipeline[-1].prob == 0.75
    first = Config.fromfile(out / 'sr4ir-tdp-first/seed_0/config.py')
    assert first.model.losses.tdp.features == [0]
    assert [metric.type for metric in first.test_evaluator] == ['Accuracy', 'sr4ir_mm.PSNR']
    with pytest.raises(ConfigError, match="--protocols is 'sr4ir-no-tpd'; .* Did you mean 'sr4ir-no-tdp'"):
        study('--study', ABLATIONS, '--protocols', 'sr4ir-no-tpd', configs=[config])
    with pytest.raises(
        ConfigError, match=r"protocols\['sr4ir-no-tdp'\]\.without is 'tdp'; allowed: 'pixel', 'task_sr'"
    ):
        study('--study', ABLATIONS, configs=DENOISE[:1])


def test_mistakes_of_several_tasks_are_told(study, calls):
    with pytest.raises(ConfigError, match="--protocols has 'cross', .* needs two configs, not 1"):
        study('--protocols', 'cross', configs=DENOISE[:1])
    with pytest.raises(ConfigError, match='their names must differ'):
        study(configs=DENOISE[:1] * 2)
    with pytest.raises(
        ConfigError,
        match="The axis 'sigma': the last step of 'model.degradation.sigma' is 'sigma'; allowed: 'type', 'scale'",
    ):
        study('--sigmas', '15', '--protocols', 'sr4ir', configs=[str(DEMO)])
    with pytest.raises(ConfigError, match='NonLocalMeans needs `sigma`, but .* has none; it has: type, scale'):
        study('--protocols', 'nlm', configs=[str(DEMO)])
    assert calls == []


def test_the_raw_results(study, calls):
    out = study('--protocols', 'noisy', '--sigmas', '15', '30', configs=DENOISE[:1])
    study('--protocols', 'clean', configs=DENOISE[:1])
    lines = [json.loads(line) for line in (out / 'results.jsonl').read_text().splitlines()]
    assert [(line['protocol'], line.get('sigma')) for line in lines] == [('clean', None), ('noisy', 15), ('noisy', 30)]
    assert all(line['config'] == 'configs/denoise_highlevel/joint_fpn_demo.py' and line['metrics'] for line in lines)
