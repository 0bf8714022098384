"""PCL-SR as published: batch statistics, schedule, clipping, and the paper's two contrasts."""

import copy
import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config, ConfigDict
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader

from sr4ir_mm.engine import CascadeOptimWrapperConstructor
from sr4ir_mm.errors import ConfigError
from sr4ir_mm.models import ContrastiveLoss, FrequencyEmbedding, VGGEmbedding
from sr4ir_mm.models.losses import check_needs
from sr4ir_mm.models.phases import build_phases
from sr4ir_mm.registry import MODELS
from tests.helpers.builders import ROOT, cascade_cfg, seg_batch

EMBED = dict(name='embed', update='embedding', losses=dict(embedding=1.0))
RESTORE = dict(name='restore', update='restorer', losses=dict(pixel=1.0, contrastive=0.5))
SGD = dict(optimizer=dict(type='SGD', lr=0.1))
NET = dict(type='sr4ir_mm.FrequencyEmbedding', base_channels=4)


def learning(embedding=NET, contrastive=None, **kwargs):
    contrastive = dict(dict(layers=[4, 1], statistics='per_set'), **(contrastive or {}))
    return dict(parts=dict(embedding=embedding), losses=dict(contrastive=contrastive), **kwargs)


def build(phases, optim_wrapper=None, **kwargs):
    model = MODELS.build(cascade_cfg(**learning(**kwargs))).train()
    model.phases = build_phases([ConfigDict(phase) for phase in phases], model)
    updated = {part for phase in model.phases for part in phase.update}
    optim_wrapper = optim_wrapper or {part: SGD for part in updated}
    return model, CascadeOptimWrapperConstructor(ConfigDict(copy.deepcopy(optim_wrapper)))(model)


def plain_features(net, image, transform='haar'):
    """The outputs of all blocks, normalized by the statistics of this batch, and the logits."""
    if transform == 'haar':
        a, b, c, d = image[..., ::2, ::2], image[..., ::2, 1::2], image[..., 1::2, ::2], image[..., 1::2, 1::2]
        image = torch.cat([a + b - c - d, a - b + c - d, a - b - c + d], 1) / 2
    outputs = []
    for index, block in enumerate(net.blocks):
        image = F.conv2d(image, block.conv.weight, stride=1 + index % 2, padding=1)
        mean = image.mean((0, 2, 3), keepdim=True)
        variance = ((image - mean) ** 2).mean((0, 2, 3), keepdim=True)
        image = (image - mean) / (variance + 1e-5).sqrt()
        image = image * block.bn.weight.view(-1, 1, 1) + block.bn.bias.view(-1, 1, 1)
        image = torch.where(image > 0, image, 0.2 * image)
        outputs.append(image)
    return outputs, F.conv2d(F.adaptive_avg_pool2d(image, 4), net.head[1].weight, net.head[1].bias).flatten()


def nce(sr, good, bad, layers):
    """InfoNCE of the features of one batch to those of others, mean over layers and positives."""
    terms = []
    for layer in layers:

        def close(other):
            a, b = sr[layer], other[layer]
            return ((a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1))).mean((1, 2)).exp()

        against = sum(close(other) for other in bad)
        terms += [-torch.log(close(other) / (close(other) + against)).mean() for other in good]
    return sum(terms) / len(terms)


def images():
    hr = torch.stack(seg_batch()['inputs']).float()[:, [2, 1, 0]] / 255
    lr = F.interpolate(hr, scale_factor=0.25, mode='bicubic', align_corners=False)
    return hr, (lr.clamp(0, 1) * 255).round() / 255


# ---------- batch statistics


def test_per_set_equals_its_formula():
    """Each set passes alone and is normalized by itself, whether the embedding network learns or the restorer."""
    net = FrequencyEmbedding(base_channels=4).double().train()
    loss = ContrastiveLoss(layers=[4, 1], statistics='per_set')
    hr, lr = (image.double() for image in images())
    sr = torch.rand_like(hr).requires_grad_()

    torch.manual_seed(5)
    value = loss.embedding_loss(net, sr, hr)
    ours = torch.autograd.grad(value, net.parameters())
    torch.manual_seed(5)
    r = torch.cat([plain_features(net, image)[1] for image in [hr, *loss.samples.sharpened(hr)]])
    f = torch.cat([plain_features(net, image)[1] for image in [sr.detach(), *loss.samples.blurred(hr)]])
    expected = -torch.log(r.exp() / (r.exp() + f.exp().sum())).mean()
    expected = expected - torch.log((-f).exp() / ((-f).exp() + (-r).exp().sum())).mean()
    assert len(r) == len(f) == 4 * 2 * 16 and value.item() == pytest.approx(expected.item(), rel=1e-10)
    for one, other in zip(ours, torch.autograd.grad(expected, net.parameters())):
        torch.testing.assert_close(one, other, rtol=1e-7, atol=1e-9)

    torch.manual_seed(6)
    value = loss.contrast(net.eval(), sr, hr, lr, 4)
    (ours,) = torch.autograd.grad(value, sr)
    torch.manual_seed(6)
    upsampled = F.interpolate(lr, scale_factor=4, mode='bicubic', align_corners=False)
    sets = [hr, *loss.samples.sharpened(hr)], [upsampled, *loss.samples.blurred(hr)]
    good, bad = ([plain_features(net, image)[0] for image in group] for group in sets)
    expected = nce(plain_features(net, sr)[0], good, bad, (4, 1))
    assert value.item() == pytest.approx(expected.item(), rel=1e-10)
    torch.testing.assert_close(ours, torch.autograd.grad(expected, sr)[0], rtol=1e-7, atol=1e-10)


def test_per_set_leaves_the_embedding_as_it_was():
    """Its parameters, its running statistics, and whether its batch norms keep them."""
    model, optim = build([dict(RESTORE, losses=dict(contrastive=1.0))])
    before = {name: value.clone() for name, value in model.embedding.state_dict().items()}
    model.train_step(seg_batch(), optim)
    assert all(torch.equal(value, before[name]) for name, value in model.embedding.state_dict().items())
    norms = [module for module in model.embedding.modules() if isinstance(module, nn.BatchNorm2d)]
    assert len(norms) == 8 and all(norm.training and norm.track_running_stats for norm in norms)


def test_the_two_kinds_of_statistics_differ_in_nothing_but_the_statistics():
    """Without batch norms they are one."""
    values = []
    for statistics in ('running', 'per_set'):
        torch.manual_seed(1)
        model, _ = build(
            [RESTORE],
            embedding=dict(NET, norm_cfg=dict(type='GN', num_groups=2)),
            contrastive=dict(statistics=statistics),
        )
        hr, lr = images()
        torch.manual_seed(0)
        values.append(model.losses.contrastive.contrast(model.embedding, hr.flip(3), hr, lr, 4).item())
        values.append(model.losses.contrastive.embedding_loss(model.embedding, hr.flip(3), hr).item())
    assert values[:2] == pytest.approx(values[2:], rel=1e-5)
    with pytest.raises(
        ConfigError, match="model.losses.contrastive.statistics is 'per_sets'; .*Did you mean 'per_set'"
    ):
        ContrastiveLoss(statistics='per_sets')


# ---------- the recipe


def config(name):
    return Config.fromfile(Path(ROOT) / f'configs/pcl_sr/{name}.py')


def test_learning_rates_are_the_published_ones(tmp_path):
    """Three cosines of the restorer down to 1e-8; the embedding network keeps 5e-5."""
    cfg = config('rcan_x4_div2k')
    cfg.model.restorer.update(n_resgroups=1, n_resblocks=1, n_feats=16, init_cfg=None)
    cfg.merge_from_dict(dict(work_dir=str(tmp_path), log_level='ERROR'))
    for key in [key for key in cfg if key.startswith(('val_', 'test_'))]:
        cfg[key] = None
    cfg.visualizer = dict(type='mmengine.Visualizer', vis_backends=[])
    runner = Runner.from_cfg(cfg)
    runner._train_dataloader = DataLoader([0])  # there are no images here
    runner.optim_wrapper = runner.build_optim_wrapper(cfg.optim_wrapper)
    schedulers = runner.build_param_scheduler(cfg.param_scheduler)
    assert schedulers['embedding'] == []
    assert runner.optim_wrapper['embedding'].get_lr()['lr'] == [5e-5]
    for iteration in (1, 777, 100_000, 200_000, 200_001, 399_000, 400_000, 500_000, 599_999):
        scheduler = schedulers['restorer'][0]
        scheduler.last_step = iteration - 1
        scheduler.step()
        # at the end of a period the minimum is reached, and the next begins one step later
        period = (iteration - 1) // 200_000
        progress = (iteration - period * 200_000) / 200_000
        expected = 1e-8 + 0.5 * (5e-5 - 1e-8) * (1 + math.cos(math.pi * progress))
        assert runner.optim_wrapper['restorer'].get_lr()['lr'][0] == pytest.approx(expected, rel=1e-9)


def test_weights_and_clipping_are_those_of_images_in_0_to_255():
    """Published: 1·L1 + 5·contrastive with images in [0, 255], gradients clipped to [-1, 1]."""
    cfg = config('rcan_x4_div2k')
    clip_grad = cfg.optim_wrapper.restorer.clip_grad
    restorer = dict(cfg.model.restorer, n_resgroups=1, n_resblocks=1, n_feats=16, init_cfg=None)
    model, optim = build([cfg.train_cfg.phases[1]], dict(restorer=dict(SGD, clip_grad=clip_grad)), restorer=restorer)
    model.restorer.network.tail[1].weight.data *= 100  # so that some gradients are large
    twin = copy.deepcopy(model)
    torch.manual_seed(3)
    model.train_step(seg_batch(), optim)
    hr, lr = images()
    torch.manual_seed(3)
    sr = twin.restorer(lr)
    contrastive = twin.losses.contrastive.contrast(twin.embedding.eval(), sr, hr, lr, 4)
    (F.l1_loss(255 * sr, 255 * hr) + 5 * contrastive).backward()
    gradients = torch.cat([value.grad.flatten() for value in twin.restorer.parameters() if value.requires_grad])
    assert 0.001 < (gradients.abs() > 1).float().mean() < 0.999
    torch.nn.utils.clip_grad_value_(twin.restorer.parameters(), 1.0)
    for (name, value), ours in zip(twin.restorer.named_parameters(), model.restorer.parameters()):
        step = 0.1 / 255 * value.grad if value.requires_grad else 0.0
        torch.testing.assert_close(ours, value - step, rtol=1e-5, atol=1e-6, msg=name)


# ---------- the paper's contrasts


def differences(one, other, key=''):
    """The keys at which two configs differ."""
    one, other = (getattr(each, '_cfg_dict', each) for each in (one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return {
            found
            for name in {*one, *other}
            for found in differences(one.get(name), other.get(name), f'{key}.{name}' if key else name)
        }
    return set() if one == other else {key}


def test_configs_of_the_contrasts_differ_in_nothing_else():
    learned = config('edsr-s_x4_div2k')
    assert differences(learned, config('rgb_edsr-s_x4_div2k')) == {'model.parts.embedding.transform'}
    vgg = config('vgg_edsr-s_x4_div2k')
    vgg._cfg_dict.pop('vgg')  # a variable
    assert {key for key in differences(learned, vgg) if not key.startswith('model.parts.embedding.')} == {
        'model.losses.contrastive.layers',
        'train_cfg.phases',
        'optim_wrapper.embedding',
    }
    assert [learned.train_cfg.phases[1]] == vgg.train_cfg.phases


def test_rgb_sees_the_image_itself():
    torch.manual_seed(1)
    rgb = FrequencyEmbedding(base_channels=4, transform='rgb')
    image = torch.rand(2, 3, 33, 40)
    ours = rgb.extract_feat(image, range(8))
    with torch.no_grad():
        expected, logits = plain_features(rgb, image, 'rgb')
    for index, (one, other) in enumerate(zip(ours, expected)):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4, msg=f'block {index}')
    torch.testing.assert_close(rgb(image).flatten(), logits, rtol=1e-3, atol=1e-4)
    shapes = {name: value.shape for name, value in FrequencyEmbedding(base_channels=4).state_dict().items()}
    assert {name for name, value in rgb.state_dict().items() if value.shape != shapes[name]} == {'blocks.0.conv.weight'}
    assert sum(parameter.numel() for parameter in FrequencyEmbedding(transform='rgb').parameters()) == 4_687_809
    with pytest.raises(ConfigError, match="model.embedding.transform is 'RGB'; allowed: 'haar', 'rgb'"):
        FrequencyEmbedding(transform='RGB')


@pytest.fixture(scope='module')
def vgg():
    return VGGEmbedding()


def test_vgg_returns_the_first_activation_at_each_size(vgg):
    image = torch.rand(2, 3, 32, 48)
    mean, std = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1), torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    x, expected = (image - mean) / std, []
    convs = [module for module in vgg.features if isinstance(module, nn.Conv2d)]
    for index, conv in enumerate(convs):  # 2, 2, 4, 4 of a size, then the first of the last
        if index in (2, 4, 8, 12):
            x = F.max_pool2d(x, 2)
        x = F.conv2d(x, conv.weight, conv.bias, padding=1).clamp(min=0)
        if index in (0, 2, 4, 8, 12):
            expected.append(x)
    assert [conv.out_channels for conv in convs] == [64] * 2 + [128] * 2 + [256] * 4 + [512] * 5
    for one, other in zip(vgg.extract_feat(image, range(5)), expected):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    assert torch.equal(vgg.extract_feat(image, [-1, 0])[1], vgg.extract_feat(image, [0])[0])
    with pytest.raises(
        ConfigError, match='layers names the layer 5, but model.parts.embedding has 5; allowed: -5 to 4'
    ):
        vgg.extract_feat(image, [5])


def test_vgg_teaches_the_restorer_and_stays(vgg):
    model, optim = build([RESTORE], embedding=vgg, contrastive=dict(layers=[1]))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    hr, lr = images()
    sr_net, samples = copy.deepcopy(model.restorer), model.losses.contrastive.samples
    torch.manual_seed(2)
    logs = model.train_step(seg_batch(), optim)
    torch.manual_seed(2)
    upsampled = F.interpolate(lr, scale_factor=4, mode='bicubic', align_corners=False)
    sets = [[hr, *samples.sharpened(hr)], [upsampled, *samples.blurred(hr)]]
    good, bad = ([vgg.extract_feat(image, [1]) for image in group] for group in sets)
    expected = nce(vgg.extract_feat(sr_net(lr), [1]), good, bad, [0])
    assert logs['loss_contrastive'].item() == pytest.approx(0.5 * expected.item(), rel=1e-4)
    moved = {name.split('.')[0] for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert moved == {'restorer'} and not any(parameter.requires_grad for parameter in vgg.parameters())


def test_vgg_takes_the_weights_of_torchvision(vgg, tmp_path):
    weights = {name: value + 1 for name, value in vgg.state_dict().items()}
    assert list(weights)[:2] == ['features.0.weight', 'features.0.bias']
    weights['classifier.0.weight'] = torch.zeros(2, 2)
    torch.save(weights, tmp_path / 'vgg19.pth')
    init_cfg = dict(type='Pretrained', checkpoint=str(tmp_path / 'vgg19.pth'))
    model, _ = build([RESTORE], embedding=dict(type='sr4ir_mm.VGGEmbedding', init_cfg=init_cfg))
    model.init_weights()
    assert torch.equal(model.embedding.features[28].weight, weights['features.28.weight'])


def test_vgg_cannot_be_taught(vgg):
    with pytest.raises(ConfigError, match=r"phases\[0\].update is 'embedding'; allowed: 'restorer', 'recognizer'"):
        build([EMBED], embedding=vgg)
    with pytest.raises(ConfigError, match="a part in optim_wrapper is 'embedding'; allowed: 'restorer', 'recognizer'"):
        build([RESTORE], dict(restorer=SGD, embedding=SGD), embedding=vgg)
    model, _ = build([dict(RESTORE, losses=dict(pixel=1.0, embedding=1.0))], embedding=vgg)
    with pytest.raises(
        ConfigError, match=r'the loss `embedding`, but model.parts.embedding \(VGGEmbedding\) does not learn'
    ):
        check_needs('embedding', model.losses.embedding, model)
