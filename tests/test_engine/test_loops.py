import copy

import pytest
import torch
from mmengine.runner import Runner

from sr4ir_mm.checkpoints import load_checkpoint
from sr4ir_mm.errors import ConfigError
from sr4ir_mm.registry import LOOPS, MODELS
from tests.conftest import SR4IR_PHASES, cascade_cfg


def history(runner, name):
    return runner.message_hub.get_scalar(f'train/{name}').data[0].tolist()


def run(cfg, **kwargs):
    cfg.update(experiment_name=f'test_{id(cfg)}', **kwargs)
    runner = Runner.from_cfg(cfg)
    runner.train()
    return runner


def test_trains_by_epochs(voc_cfg):
    runner = run(voc_cfg)
    assert runner.iter == 4
    # the warm-up leaves out the TDP loss alone
    assert len(history(runner, 'loss_tdp')) == 2
    assert len(history(runner, 'loss_pixel')) == len(history(runner, 'loss_task_cqmix')) == 4
    assert runner.message_hub.get_scalar('val/mIoU').current() >= 0
    assert runner.message_hub.get_scalar('val/PSNR').current() > 0
    names = set(runner.message_hub.log_scalars)
    assert {'train/restorer.lr', 'train/recognizer.lr', 'train/loss'} <= names
    assert not any(name.endswith('lr') for name in names if 'loss' in name)
    # what is written can be read back whole
    model = MODELS.build(cascade_cfg())
    model.load_state_dict(load_checkpoint(f'{voc_cfg.work_dir}/epoch_2.pth')['state_dict'])
    assert torch.equal(model.restorer.conv_first.weight, runner.model.restorer.conv_first.weight)


def test_trains_by_iterations(voc_cfg):
    phases = [dict(SR4IR_PHASES[0], losses=dict(pixel=1.0, tdp=dict(weight=1.0, begin=3))), SR4IR_PHASES[1]]
    voc_cfg.train_cfg = dict(type='sr4ir_mm.AlternatingIterTrainLoop', max_iters=5, val_interval=5, phases=phases)
    voc_cfg.default_hooks.checkpoint = dict(type='sr4ir_mm.ResumableCheckpointHook', by_epoch=False, interval=5)
    voc_cfg.train_dataloader.sampler.type = 'InfiniteSampler'
    voc_cfg.log_processor = dict(by_epoch=False)
    runner = run(voc_cfg)
    assert runner.iter == 5
    assert len(history(runner, 'loss_tdp')) == 2
    assert len(history(runner, 'loss_task_sr')) == 5


def test_schedulers_step_once_an_iteration(voc_cfg):
    cosine = dict(
        type='sr4ir_mm.CosineRestartLR', periods=[1, 1], restart_weights=[1, 1], end=2, convert_to_iter_based=True
    )
    voc_cfg.param_scheduler = dict(restorer=[dict(cosine, eta_min=0)], recognizer=[dict(cosine, eta_min=0)])
    runner = run(voc_cfg)
    assert history(runner, 'restorer.lr') == pytest.approx([1e-4, 5e-5, 0, 5e-5])
    assert history(runner, 'recognizer.lr') == pytest.approx([1e-2, 5e-3, 0, 5e-3])


def test_resume_goes_on_where_it_was(voc_cfg):
    whole = run(voc_cfg)
    other = dict(resume=True, load_from=f'{voc_cfg.work_dir}/epoch_1.pth', work_dir=voc_cfg.work_dir + '_resumed')
    resumed = run(voc_cfg, **other)
    assert resumed.iter == 4
    assert set(resumed.optim_wrapper.state_dict()) == {'restorer', 'recognizer'}
    state = resumed.optim_wrapper['restorer'].optimizer.state
    assert {int(entry['step']) for entry in state.values()} == {4}
    assert len(history(whole, 'loss_pixel')) == len(history(resumed, 'loss_pixel')) == 4


@pytest.mark.parametrize(
    'change, message',
    [
        (dict(optim_wrapper=dict(recognizer=None)), "updates 'recognizer', but optim_wrapper has no entry for it"),
        (
            dict(param_scheduler=dict(restorer=[dict(type='ConstantLR')])),
            "optim_wrapper has 'recognizer', but param_scheduler has no entry for it",
        ),
        (dict(train_cfg=dict(phases=SR4IR_PHASES[:1])), "optim_wrapper has 'recognizer', but no phase updates it"),
        (
            dict(optim_wrapper=dict(constructor='DefaultOptimWrapperConstructor')),
            'sr4ir_mm.CascadeOptimWrapperConstructor',
        ),
        (dict(optim_wrapper=dict(recogniser=dict(optimizer=dict(type='SGD', lr=1)))), "Did you mean 'recognizer'"),
        (dict(optim_wrapper=dict(restorer=dict(accumulative_counts=2))), 'write optim_wrapper.amp'),
        (dict(optim_wrapper=dict(amp='float16')), "amp is 'float16', which needs a GPU"),
        (dict(optim_wrapper=dict(amp='half')), "optim_wrapper.amp is 'half'; allowed"),
    ],
)
def test_a_mistake_is_told_before_training(voc_cfg, change, message):
    if 'needs a GPU' in message and torch.cuda.is_available():
        change, message = dict(optim_wrapper=dict(amp='half')), 'allowed'
    for key, value in change.items():
        voc_cfg[key] = dict(voc_cfg.get(key, {}), **value)
    with pytest.raises(ConfigError, match=message):
        run(voc_cfg)


def test_bfloat16_trains_and_keeps_losses_in_float32(voc_cfg, bfloat16):
    voc_cfg.optim_wrapper.amp = 'bfloat16'
    runner = run(voc_cfg)
    assert all(parameter.dtype == torch.float32 for parameter in runner.model.parameters())
    assert all(value > 0 for value in history(runner, 'loss_task_sr'))


@pytest.mark.parametrize('defer', [False, True])
def test_a_loss_that_is_no_number_stops_the_training(voc_cfg, defer):
    voc_cfg.optim_wrapper.recognizer.optimizer.lr = 1e30
    voc_cfg.default_hooks.update(
        runtime_info=dict(type='sr4ir_mm.DeferredLossHook', defer=defer), logger=dict(interval=50)
    )
    with pytest.raises(FloatingPointError, match=r'loss_task_\w+ = (nan|inf).* in iteration 2, on the images .*\.jpg'):
        run(voc_cfg)


def test_losses_that_are_read_together_are_logged_like_others(voc_cfg):
    voc_cfg.default_hooks.update(logger=dict(interval=3), checkpoint=dict(by_epoch=False, interval=1))
    histories = []
    for defer in (False, True):
        voc_cfg.default_hooks.runtime_info = dict(type='sr4ir_mm.DeferredLossHook', defer=defer)
        runner = run(copy.deepcopy(voc_cfg))
        histories.append(
            {name: value.data[0].tolist() for name, value in runner.message_hub.log_scalars.items() if 'loss' in name}
        )
        saved = load_checkpoint(f'{voc_cfg.work_dir}/iter_1.pth')['message_hub']['log_scalars']
        assert len(saved['train/loss'].data[0]) == 1
    assert histories[0] == histories[1] and len(histories[0]) == 6


def test_loops_are_registered():
    for name in ('AlternatingTrainLoop', 'AlternatingIterTrainLoop'):
        assert LOOPS.get(f'sr4ir_mm.{name}').__name__ == name


@pytest.mark.parametrize(
    'loop',
    [
        dict(type='sr4ir_mm.AlternatingIterTrainLoop', max_iters=2),
        dict(type='sr4ir_mm.AlternatingTrainLoop', max_epochs=1),
    ],
)
def test_fewer_images_than_one_batch(voc_cfg, loop):
    voc_cfg.train_cfg = dict(loop, phases=voc_cfg.train_cfg.phases)
    voc_cfg.train_dataloader.update(batch_size=5, drop_last=True)
    with pytest.raises(ConfigError, match='train_dataloader has no batch: its data set has 4 images'):
        Runner.from_cfg(voc_cfg).train()
