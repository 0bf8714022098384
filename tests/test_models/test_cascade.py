"""One iteration: which weights move, and that it is the iteration that the paper describes."""

import copy

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import ConfigDict
from mmengine.runner import CheckpointLoader
from torch import nn

from sr4ir_mm.engine import CascadeOptimWrapperConstructor
from sr4ir_mm.errors import ConfigError
from sr4ir_mm.models.batch import Batch
from sr4ir_mm.models.phases import build_phases
from sr4ir_mm.registry import MODELS
from tests.helpers.builders import (
    NUM_CLASSES,
    OPTIM_WRAPPER,
    SR4IR_PHASES,
    SWINIR,
    cascade_cfg,
    edsr,
    seg_batch,
    segmentor,
)

RESTORE, RECOGNIZE = SR4IR_PHASES


def build(phases=SR4IR_PHASES, progress=1, optim_wrapper=OPTIM_WRAPPER, **kwargs):
    """A model that is ready to train, and its optimizers."""
    torch.manual_seed(0)
    model = MODELS.build(cascade_cfg(**kwargs))
    model.init_weights()
    model.train()
    phases = build_phases([ConfigDict(phase) for phase in phases], model)
    model.phases = [phase.at(progress) for phase in phases]
    cfg = {key: value for key, value in copy.deepcopy(optim_wrapper).items() if key != 'constructor'}
    return model, CascadeOptimWrapperConstructor(ConfigDict(cfg))(model)


def moved(model, before):
    """The names of what is no longer as it was."""
    return {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}


def snapshot(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def test_restore_phase_moves_the_restorer_only():
    model, optim = build([RESTORE])
    before = snapshot(model)
    logs = model.train_step(seg_batch(), optim)
    changed = moved(model, before)
    assert changed == {name for name in before if name.startswith('restorer.')}
    assert set(logs) == {'loss_pixel', 'loss_tdp', 'loss'}
    assert not any(parameter.grad is not None for parameter in model.recognizer.parameters())


def test_recognize_phase_moves_the_recognizer_only():
    model, optim = build([RECOGNIZE])
    before = snapshot(model)
    model.train_step(seg_batch(), optim)
    changed = moved(model, before)
    assert changed == {name for name in before if name.startswith('recognizer.')}
    # three forwards, for sr, hr and the mix
    assert model.recognizer.backbone.stem[1].num_batches_tracked == 3


@pytest.mark.parametrize('phases', [[RESTORE], [RECOGNIZE], SR4IR_PHASES])
def test_what_the_host_freezes_stays_frozen(phases):
    recognizer = segmentor(frozen_stages=1, norm_eval=True)
    model, optim = build(phases, recognizer=recognizer)
    frozen = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
    assert any('layer1' in name for name in frozen)
    modes = {name: module.training for name, module in model.named_modules()}
    before = snapshot(model)
    model.train_step(seg_batch(), optim)
    assert not moved(model, before) & frozen
    assert {name for name, parameter in model.named_parameters() if not parameter.requires_grad} == frozen
    assert all(dict(model.named_parameters())[name].grad is None for name in frozen)
    assert modes == {name: module.training for name, module in model.named_modules()}
    statistics = {name for name in before if 'backbone' in name and 'running' in name}
    assert statistics and not moved(model, before) & statistics


def test_second_phase_sees_the_updated_restorer():
    """A phase that trains the recognizer makes sr anew, without a graph."""
    model, optim = build()
    seen = []
    restore = model.restore
    model.restore = lambda *args: seen.append(restore(*args)) or seen[-1]
    model.train_step(seg_batch(), optim)
    first, second = seen
    assert first.requires_grad and not second.requires_grad
    assert not torch.equal(first, second)


def test_lr_is_made_once_and_tdp_runs_no_head():
    model, optim = build()
    calls = []
    for name, module in (
        ('degradation', model.degradation),
        ('backbone', model.recognizer.backbone),
        ('head', model.recognizer.decode_head.conv_seg),
        ('restorer', model.restorer),
    ):
        module.register_forward_hook(lambda *_, name=name: calls.append(name))
    model.train_step(seg_batch(), optim)
    assert {name: calls.count(name) for name in set(calls)} == dict(degradation=1, restorer=2, backbone=5, head=3)


def plain_iteration(sr_net, net, optimizers, batch, steps):
    """SR4IR's iteration, written out."""
    mean = torch.tensor([123.675, 116.28, 103.53]).view(3, 1, 1) / 255
    std = torch.tensor([58.395, 57.12, 57.375]).view(3, 1, 1) / 255
    hr = torch.stack(batch['inputs']).to(mean)[:, [2, 1, 0]] / 255
    labels = torch.stack([sample.gt_sem_seg.data for sample in batch['data_samples']])[:, 0]
    mask = F.interpolate(torch.stack(batch['cqmix_grid'])[:, None].to(mean), size=hr.shape[-2:], mode='nearest')

    def task(image):
        logits = net.decode_head(net.backbone((image - mean) / std))
        logits = F.interpolate(logits, size=labels.shape[-2:], mode='bilinear', align_corners=False)
        # mmseg divides by the number of all pixels
        return F.cross_entropy(logits, labels, ignore_index=255, reduction='sum') / labels.numel()

    losses = []
    for _ in range(steps):
        lr = F.interpolate(hr, scale_factor=0.25, mode='bicubic', align_corners=False)
        lr = (lr.clamp(0, 1) * 255).round() / 255
        net.eval()
        sr = sr_net(lr)
        tdp = F.l1_loss(net.backbone((sr - mean) / std)[-1], net.backbone((hr - mean) / std)[-1].detach())
        pixel = F.l1_loss(sr, hr)
        optimizers[0].zero_grad()
        (pixel + tdp).backward()
        optimizers[0].step()
        net.train()
        sr = sr_net(lr).detach()
        terms = [0.34 * task(image) for image in (sr, hr, sr * mask + hr * (1 - mask))]
        optimizers[1].zero_grad()
        sum(terms).backward()
        optimizers[1].step()
        losses.append([value.item() for value in (pixel, tdp, *terms)])
    return losses


def test_equals_a_plain_loop(float64):
    model, optim = build()
    sr_net, net = copy.deepcopy(model.restorer), copy.deepcopy(model.recognizer)
    optimizers = (
        torch.optim.AdamW(sr_net.parameters(), lr=1e-4, weight_decay=0),
        torch.optim.SGD(net.parameters(), lr=1e-2, momentum=0.9, weight_decay=1e-4),
    )
    expected = plain_iteration(sr_net, net, optimizers, seg_batch(), steps=2)
    for losses in expected:
        logs = model.train_step(seg_batch(), optim)
        names = ('loss_pixel', 'loss_tdp', 'loss_task_sr', 'loss_task_hr', 'loss_task_cqmix')
        assert [logs[name].item() for name in names] == pytest.approx(losses, rel=1e-9)
        assert logs['loss'].item() == pytest.approx(sum(losses), rel=1e-9)
    for ours, theirs in ((model.restorer, sr_net), (model.recognizer, net)):
        for (name, value), other in zip(ours.state_dict().items(), theirs.state_dict().values()):
            assert torch.allclose(value, other, rtol=1e-9, atol=1e-9), name


def test_joint_phase_steps_both_parts(float64):
    """S+T: the gradient of the task loss reaches the restorer through sr."""
    joint = dict(name='joint', update=['restorer', 'recognizer'], losses=dict(pixel=1.0, task_sr=1.0))
    model, optim = build([joint])
    before = snapshot(model)
    reference = copy.deepcopy(model)
    model.train_step(seg_batch(), optim)
    assert moved(model, before) == set(before)
    # the same gradients by one backward pass through everything
    data = reference.data_preprocessor(seg_batch(), True)
    hr = data['inputs']['hr']
    sr = reference.restoration(reference.degradation(hr))
    losses = reference.recognizer.loss(reference.recognizer_input(sr, data['inputs']['sizes']), data['data_samples'])
    (F.l1_loss(sr, hr) + losses['decode.loss_ce']).backward()
    torch.optim.AdamW(reference.restorer.parameters(), lr=1e-4, weight_decay=0).step()
    for ours, theirs in zip(model.restorer.parameters(), reference.restorer.parameters()):
        assert torch.allclose(ours, theirs, rtol=1e-9, atol=1e-9)


def test_accumulation_equals_the_mean_gradient(float64):
    sgd = dict(
        restorer=dict(optimizer=dict(type='SGD', lr=0.1)),
        recognizer=dict(optimizer=dict(type='SGD', lr=0.1)),
        accumulative_counts=2,
    )
    phases = [RESTORE, dict(name='recognize', update='recognizer', losses=dict(task_sr=1.0))]
    recognizer = segmentor(norm='GN')
    model, optim = build(phases, optim_wrapper=sgd, recognizer=recognizer)
    optim.initialize_count_status(model, 0, 3)
    reference = copy.deepcopy(model)
    batches = [seg_batch(seed=seed) for seed in range(3)]
    before = snapshot(model)
    model.train_step(batches[0], optim)
    assert not moved(model, before)
    model.train_step(batches[1], optim)
    # plain: the mean over both batches, all gradients at the starting weights
    gradients = [torch.zeros_like(parameter) for parameter in reference.restorer.parameters()]
    for batch in batches[:2]:
        reference.zero_grad()
        data = reference.data_preprocessor(batch, True)
        batch = Batch(reference, data_samples=data['data_samples'], **data['inputs'])
        sr = reference.restoration(batch.lr)
        reference.eval()
        with torch.no_grad():
            target = reference.task.extract_features(batch.hr, batch)[-1]
        (F.l1_loss(sr, batch.hr) + F.l1_loss(reference.task.extract_features(sr, batch)[-1], target)).backward()
        for total, parameter in zip(gradients, reference.restorer.parameters()):
            total += parameter.grad / 2
    for ours, start, gradient in zip(model.restorer.parameters(), reference.restorer.parameters(), gradients):
        assert torch.allclose(ours, start - 0.1 * gradient, rtol=1e-9, atol=1e-9)
    # the third iteration is the last: its gradient is applied alone and whole
    before = snapshot(model)
    model.train_step(batches[2], optim)
    assert moved(model, before)


def test_hr_goes_straight_in_without_a_restorer():
    phase = dict(name='recognize', update='recognizer', losses=dict(task_hr=1.0))
    optim_wrapper = dict(recognizer=OPTIM_WRAPPER['recognizer'])
    model, optim = build([phase], restorer=None, degradation=None, optim_wrapper=optim_wrapper)
    assert set(model.train_step(seg_batch(), optim)) == {'loss_task_hr', 'loss'}
    model.eval()
    sample = model.test_step(seg_batch(batch=1))[0]
    assert torch.equal(sample.sr, sample.hr) and 'lr' not in sample


@pytest.mark.parametrize('size', [(33, 50), (32, 32)])
def test_prediction_has_the_size_of_the_image(size):
    model, _ = build()
    model.eval()
    sample = model.test_step(seg_batch(size, batch=1))[0]
    assert sample.sr.shape == sample.hr.shape == (3, *size)
    assert sample.pred_sem_seg.data.shape == (1, *size)
    assert sample.lr.shape == (3, -(-size[0] // 4), -(-size[1] // 4))
    assert torch.equal((sample.hr * 255).round().byte()[[2, 1, 0]], seg_batch(size, batch=1)['inputs'][0])


def test_a_data_set_brings_its_own_lr():
    model, optim = build(degradation=None)
    lr = [torch.randint(0, 256, (3, 8, 8), dtype=torch.uint8) for _ in range(2)]
    seen = []
    model.restorer.register_forward_hook(lambda _, args, __: seen.append(args[0]))
    model.train_step(dict(seg_batch(), lr=lr), optim)
    assert torch.equal(seen[0], torch.stack(lr).float()[:, [2, 1, 0]] / 255)


def test_value_range_scales_in_and_out():
    restorer = dict(type='sr4ir_mm.Interpolation', scale=4, value_range=255)
    model = MODELS.build(cascade_cfg(restorer=restorer))
    seen = []
    model.restorer.register_forward_hook(lambda _, args, __: seen.append(args[0]))
    lr = torch.rand(1, 3, 8, 8)
    sr = model.restoration(lr)
    assert torch.equal(seen[0], lr * 255)
    assert torch.allclose(sr, F.interpolate(lr, scale_factor=4, mode='bilinear', align_corners=True), atol=1e-6)


@pytest.mark.parametrize(
    'library, cfg',
    [
        ('mmseg', dict(type='SegDataPreProcessor', bgr_to_rgb=True)),
        ('mmseg', dict(type='SegDataPreProcessor', bgr_to_rgb=False)),
        ('mmdet', dict(type='DetDataPreprocessor', bgr_to_rgb=True)),
        ('mmpretrain', dict(type='ClsDataPreprocessor', to_rgb=True)),
        ('mmpretrain', dict(type='ClsDataPreprocessor', to_rgb=False)),
    ],
)
def test_normalization_equals_the_hosts_own(library, cfg):
    from sr4ir_mm.models.data_preprocessor import CascadeDataPreprocessor, RecognizerInput

    host = MODELS.build(dict(cfg, _scope_=library, mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375]))
    image = torch.randint(0, 256, (3, 16, 16), dtype=torch.uint8)
    expected = host(dict(inputs=[image]))['inputs']
    hr = CascadeDataPreprocessor(host, 'replicate')(dict(inputs=[image]))['inputs']
    assert hr['hr'].min() >= 0 and hr['hr'].max() <= 1
    assert torch.allclose(RecognizerInput(host)(hr['hr'], hr['sizes']), expected, atol=1e-5)


def test_the_restorer_is_initialized_from_its_own_checkpoint(tmp_path):
    source, _ = build()
    torch.save(dict(state_dict=source.state_dict()), tmp_path / 'sr.pth')
    init_cfg = dict(type='Pretrained', checkpoint=str(tmp_path / 'sr.pth'), prefix='restorer')
    torch.manual_seed(1)
    model = MODELS.build(cascade_cfg(restorer=edsr(init_cfg=init_cfg)))
    assert not torch.equal(model.restorer.conv_first.weight, source.restorer.conv_first.weight)
    model.init_weights()
    for ours, theirs in zip(model.restorer.parameters(), source.restorer.parameters()):
        assert torch.equal(ours, theirs)


def test_built_parts_are_taken_and_others_refused():
    model = MODELS.build(cascade_cfg(restorer=nn.Upsample(scale_factor=4)))
    assert isinstance(model.restorer, nn.Upsample)
    with pytest.raises(TypeError, match='model.restorer must be a module or its config, but is str'):
        MODELS.build(cascade_cfg(restorer='EDSRNet'))


@pytest.mark.parametrize(
    'kwargs, message',
    [
        (dict(scale=2), 'model.degradation shrinks by 4, but model.scale is 2'),
        (dict(restorer=edsr(scale=2)), r'model.restorer \(EDSRNet\) enlarges by 2, but model.scale is 4'),
        (dict(scale=0), 'model.scale is 0; allowed: a whole number from 1'),
    ],
)
def test_scales_that_do_not_fit_are_refused(kwargs, message):
    with pytest.raises(ConfigError, match=message):
        MODELS.build(cascade_cfg(**kwargs))


def test_lr_smaller_than_a_window_is_refused():
    swinir = dict(
        type='mmagic.SwinIRNet',
        upscale=4,
        in_chans=3,
        img_size=8,
        window_size=8,
        depths=[1],
        embed_dim=6,
        num_heads=[1],
        mlp_ratio=1,
        upsampler='pixelshuffledirect',
    )
    model, optim = build(restorer=swinir)
    with pytest.raises(ConfigError, match=r'is 4×4 pixels, but the restorer \(SwinIRNet\) wants at least 8'):
        model.train_step(seg_batch((16, 16)), optim)


@pytest.mark.parametrize('train', [True, False])
def test_labels_outside_the_classes_are_named(train):
    model, optim = build()
    batch = seg_batch()
    batch['data_samples'][1].gt_sem_seg.data[0, 3, 3] = NUM_CLASSES + 5
    with pytest.raises(
        ConfigError, match=r'labels of 1.jpg have the values \[9\]; the recognizer allows 0 to 3, and 255'
    ):
        model.train_step(batch, optim) if train else model.test_step(batch)


@pytest.mark.parametrize(
    'drop, message',
    [
        ('cqmix_grid', 'CQMix'),
        ('degradation', 'model.degradation is not set'),
        ('phases', 'AlternatingTrainLoop'),
    ],
)
def test_what_is_missing_is_told(drop, message):
    model, optim = build(**({drop: None} if drop == 'degradation' else {}))
    batch = seg_batch()
    batch.pop(drop, None)
    if drop == 'phases':
        model.phases = None
    with pytest.raises(ConfigError, match=message):
        model.train_step(batch, optim)


def test_a_missing_tdp_loss_is_told():
    with pytest.raises(ConfigError, match=r'the loss `tdp`, but model.losses.tdp is not set; name the features'):
        build(losses={})


@pytest.mark.parametrize('train_mode', [(), ('restorer',)])
def test_stochastic_depth_of_a_frozen_restorer_is_on_where_the_phase_says_so(train_mode):
    """What the recognizer learns from, against the restorer called by hand with the same random numbers."""
    phase = dict(name='recognize', update='recognizer', losses=dict(task_sr=1.0), train_mode=train_mode)
    model, optim = build([phase], restorer=dict(SWINIR, drop_path_rate=0.9), recognizer=segmentor('GN'), losses={})
    weights = copy.deepcopy(model.restorer.state_dict())
    seen = []
    model.restorer.register_forward_hook(lambda module, args, output: seen.append((args[0], output)))
    torch.manual_seed(5)
    model.train_step(seg_batch(), optim)
    ((lr, sr),) = seen
    assert not sr.requires_grad
    assert all(torch.equal(value, weights[name]) for name, value in model.restorer.state_dict().items())
    by_hand = {}
    with torch.no_grad():
        for mode in (True, False):
            torch.manual_seed(5)
            by_hand[mode] = model.restorer.train(mode)(lr)
    assert not torch.allclose(by_hand[True], by_hand[False], atol=1e-4)
    assert torch.equal(sr, by_hand[bool(train_mode)])


def test_building_a_cascade_changes_nothing_outside():
    """MMEngine reads other models' files as before; parameters are those of the parts alone."""
    before = dict(CheckpointLoader._schemes)
    model = MODELS.build(cascade_cfg())
    model.init_weights()
    assert CheckpointLoader._schemes == before
    assert {name.split('.')[0] for name in model.state_dict()} == {'restorer', 'recognizer'}
