"""The denoisers: the published network as the paper has it, and those of the libraries in front of a recognizer."""

import copy
import math

import pytest
import torch
from torch import nn

from sr4ir_mm.checkpoints import load_part
from sr4ir_mm.errors import ConfigError
from sr4ir_mm.models import MultiScaleDenoiser, NonLocalMeans
from sr4ir_mm.registry import MODELS
from tests.conftest import cascade_cfg, seg_batch
from tests.test_models.test_cascade import build, moved, snapshot

# input and output channels, kernel, stride, padding, of each layer with weights but the residual blocks
PUBLISHED = dict(
    conv0=(3, 64, 5, 1, 0),
    conv1=(64, 128, 3, 2, 1),
    conv2=(128, 128, 3, 2, 1),
    up2=(128, 32, 4, 2, 1),
    conv3=(160, 256, 3, 1, 1),
    up3=(256, 64, 4, 2, 1),
    out=(128, 3, 3, 1, 0),
)
BLOCKS = dict(
    res1=[(128, 32, 1, 1, 0), (32, 32, 3, 1, 1), (32, 128, 1, 1, 0)],
    res2=[(128, 32, 1, 1, 0), (32, 32, 3, 1, 1), (32, 128, 1, 1, 0)],
    res3=[(256, 64, 1, 1, 0), (64, 64, 3, 1, 1), (64, 256, 1, 1, 0)],
)


def geometry(conv):
    return conv.in_channels, conv.out_channels, conv.kernel_size[0], conv.stride[0], conv.padding[0]


def test_layers_are_the_published_ones():
    net = MultiScaleDenoiser('valid')
    for name, expected in PUBLISHED.items():
        layer = getattr(net, name)
        conv = layer.conv if isinstance(layer, nn.Sequential) else layer
        assert geometry(conv) == expected, name
        assert isinstance(conv, nn.ConvTranspose2d) == name.startswith('up')
        assert conv.bias is not None
    for name, expected in BLOCKS.items():
        convs = [module for module in getattr(net, name).children() if isinstance(module, nn.Conv2d)]
        assert [geometry(conv) for conv in convs] == expected and all(conv.bias is None for conv in convs)
    norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]
    assert len(norms) == 3 + 3 * 3
    assert all((norm.eps, norm.momentum) == (1e-5, 1e-3) for norm in norms)
    assert sum(parameter.numel() for parameter in net.parameters()) == 1_033_443


def test_it_calculates_on_0_to_255_without_the_mean_color(trained):
    """The same weights on [0, 1] are another network; the published mean color is BGR, images here are RGB."""
    plain = MultiScaleDenoiser('valid', img_range=1, mean=(0, 0, 0)).eval()
    plain.load_state_dict({name: value for name, value in trained.state_dict().items() if name != 'units'})
    image = torch.rand(1, 3, 40, 40, dtype=torch.float64)
    mean = torch.tensor([104.0, 117.0, 123.0], dtype=torch.float64)[[2, 1, 0], None, None]
    with torch.no_grad():
        expected = (plain.double()(image * 255 - mean) + mean) / 255
        assert torch.allclose(trained.double()(image), expected, rtol=0, atol=1e-12)
        assert not torch.allclose(plain(image), expected, atol=1e-2)


def test_older_checkpoints_go_on_in_their_units(trained, tmp_path):
    """Those of before have the same names, but no units: they were trained on [0, 1]."""
    image = torch.rand(1, 3, 40, 40)
    older = {name: value for name, value in trained.state_dict().items() if name != 'units'}
    assert len(older) == len(trained.state_dict()) - 1
    plain = MultiScaleDenoiser('valid', img_range=1, mean=(0, 0, 0)).eval()
    plain.load_state_dict(trained.state_dict())  # whose units replace these
    with torch.no_grad():
        assert torch.equal(plain(image), trained(image))
        plain.load_state_dict(older)
        # by hand: without units, the output of the layers is added to the image as it is
        full = plain.conv0(image)
        half = plain.res1(plain.conv1(full))
        half = plain.res3(plain.conv3(torch.cat([half, plain.up2(plain.res2(plain.conv2(half)))], 1)))
        expected = plain.out(torch.cat([full, plain.up3(half)], 1)) + image[..., 3:-3, 3:-3]
        assert torch.allclose(plain(image), expected, atol=1e-6)
        # as a part of a cascade's checkpoint, which must fill it wholly
        torch.save(dict(state_dict={f'restorer.{name}': value for name, value in older.items()}), tmp_path / 'old.pth')
        loaded = MultiScaleDenoiser('valid').eval()
        report = load_part(loaded, str(tmp_path / 'old.pth'), prefix='restorer', whole=True)
        assert torch.equal(loaded(image), plain(image)) and not report.missing


def test_the_names_of_weights_stay():
    names = set(MultiScaleDenoiser(width=4).state_dict())
    layers = {name if name in ('conv0', 'up2', 'up3', 'out') else f'{name}.conv' for name in PUBLISHED}
    assert {name for name in names if name.endswith('bias') and 'bn' not in name} == {f'{name}.bias' for name in layers}
    assert len(names) == 7 * 2 + 9 + 12 * 5 + 1  # weights and biases, bias-free convolutions, batch norms, units


@pytest.mark.parametrize('wrong', [dict(img_range=0), dict(mean=(104, 117))])
def test_units_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ConfigError, match=r'MultiScaleDenoiser.img_range is .* and mean is \['):
        MultiScaleDenoiser(**wrong)


def test_weights_start_as_published():
    net = MultiScaleDenoiser()
    for module in net.modules():
        if not isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            continue
        # what one output sums up: the inputs of a convolution, and, as Caffe counts, the outputs of a transposed one
        channels = module.out_channels if isinstance(module, nn.ConvTranspose2d) else module.in_channels
        bound = math.sqrt(3 / (channels * module.kernel_size[0] ** 2))
        assert 0.95 * bound < module.weight.abs().max() <= bound
        assert module.weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.06)
        if module.bias is not None:
            assert (module.bias == (0.0 if isinstance(module, nn.ConvTranspose2d) else 0.2)).all()


@pytest.mark.parametrize('size, out', [(40, 34), (232, 226)])
def test_valid_loses_six_pixels(size, out):
    shapes = {}
    net = MultiScaleDenoiser('valid').eval()
    for name, module in net.named_children():
        module.register_forward_hook(lambda _, __, y, name=name: shapes.update({name: tuple(y.shape[1:])}))
    full = size - 4
    with torch.no_grad():
        assert net(torch.rand(1, 3, size, size)).shape == (1, 3, out, out)
    assert shapes == dict(
        conv0=(64, full, full),
        conv1=(128, full // 2, full // 2),
        res1=(128, full // 2, full // 2),
        conv2=(128, full // 4, full // 4),
        res2=(128, full // 4, full // 4),
        up2=(32, full // 2, full // 2),
        conv3=(256, full // 2, full // 2),
        res3=(256, full // 2, full // 2),
        up3=(64, full, full),
        out=(3, out, out),
    )


@pytest.fixture
def trained():
    """A network whose batch norms have seen something: nothing cancels."""
    net = MultiScaleDenoiser('valid', momentum=0.5)
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.weight.uniform_(0.5, 1.5), module.bias.uniform_(-0.5, 0.5)
        net(torch.rand(4, 3, 40, 40))
    return net.eval()


def test_same_equals_valid_in_the_interior(trained):
    same = MultiScaleDenoiser('same').eval()
    same.load_state_dict(trained.state_dict())
    image = torch.rand(1, 3, 72, 64)
    with torch.no_grad():
        valid, whole = trained(image), same(image)
    assert whole.shape == image.shape
    reach = 20  # half of what an output pixel sees
    inside = (..., slice(reach, -reach), slice(reach, -reach))
    assert torch.allclose(valid[inside], whole[..., 3:-3, 3:-3][inside], atol=1e-6)
    assert not torch.allclose(valid, whole[..., 3:-3, 3:-3], atol=1e-3)


def test_the_noisy_image_is_added_without_its_border(trained):
    with torch.no_grad():
        trained.out.weight.zero_(), trained.out.bias.zero_()
        image = torch.rand(1, 3, 40, 44)
        assert torch.equal(trained(image), image[..., 3:-3, 3:-3])


@pytest.mark.parametrize('size', [(1, 1), (6, 7), (33, 50), (64, 64)])
def test_same_keeps_any_size(size):
    with torch.no_grad():
        assert MultiScaleDenoiser(width=4).eval()(torch.rand(2, 3, *size)).shape == (2, 3, *size)


def test_valid_is_refused_in_a_cascade():
    with pytest.raises(ConfigError, match=r"restorer.padding is 'valid', which takes 6 pixels .* allowed .* 'same'"):
        MODELS.build(denoise_cfg(restorer=dict(type='sr4ir_mm.MultiScaleDenoiser', padding='valid', width=4)))
    with pytest.raises(ConfigError, match="MultiScaleDenoiser.padding is 'sane'.*Did you mean 'same'"):
        MultiScaleDenoiser('sane')


def denoise_cfg(**kwargs):
    cfg = dict(
        scale=1,
        degradation=dict(type='sr4ir_mm.GaussianNoise', sigma=25),
        restorer=dict(type='sr4ir_mm.MultiScaleDenoiser', width=4),
        losses=dict(pixel=dict(type='torch.nn.MSELoss')),
    )
    return cascade_cfg(**dict(cfg, **kwargs))


@pytest.mark.parametrize(
    'restorer',
    [
        dict(type='sr4ir_mm.MultiScaleDenoiser', width=4),
        dict(
            type='mmagic.NAFNet', img_channels=3, mid_channels=4, enc_blk_nums=[1], middle_blk_num=1, dec_blk_nums=[1]
        ),
        dict(type='mmagic.Restormer', dim=8, num_blocks=[1, 1, 1, 1], num_refinement_blocks=1, heads=[1, 1, 1, 1]),
        dict(
            type='mmagic.SwinIRNet',
            upscale=1,
            in_chans=3,
            img_size=8,
            window_size=8,
            depths=[1],
            embed_dim=6,
            num_heads=[1],
            mlp_ratio=1,
            upsampler='',
        ),
    ],
    ids=lambda restorer: restorer['type'],
)
def test_every_denoiser_works_at_any_size(restorer):
    """One step moves it, and an odd image comes back at its size."""
    phase = dict(name='restore', update='restorer', losses=dict(pixel=1.0, task_sr=0.5))
    model, optim = build([phase], **without_type(denoise_cfg(restorer=restorer)))
    before = snapshot(model)
    model.train_step(seg_batch(), optim)
    changed = moved(model, before)
    assert changed and all(name.startswith('restorer.') for name in changed)
    model.eval()
    sample = model.test_step(seg_batch((37, 50), batch=1))[0]
    assert sample.sr.shape == sample.lr.shape == (3, 37, 50)


def without_type(cfg):
    cfg.pop('type')
    return cfg


def test_non_local_means_removes_noise_and_has_no_parameters():
    net = NonLocalMeans(sigma=25)
    assert not list(net.parameters())
    clean = torch.rand(2, 3, 4, 4).repeat_interleave(8, 2).repeat_interleave(8, 3)
    noisy = clean + torch.randn_like(clean) * 25 / 255
    restored = net(noisy)
    assert restored.shape == noisy.shape and restored.dtype == torch.float32
    before, after = ((image - clean).pow(2).mean() for image in (noisy, restored))
    assert after < before / 4  # 6 dB
    assert torch.equal(net(noisy[1:]), restored[1:])


JOINT = dict(name='restore', update='restorer', losses=dict(pixel=1.0, task_sr=0.25))
ALONE = dict(name='restore', update='restorer', losses=dict(pixel=1.0))
ZERO = dict(name='restore', update='restorer', losses=dict(pixel=1.0, task_sr=0.0))


def start(phase):
    """A denoiser in front of a recognizer that has batch norms which would move, and a dropout which would draw."""
    cfg = denoise_cfg()
    cfg.recognizer.decode_head.dropout_ratio = 0.5
    return build([phase], **without_type(cfg))


def train(phase, steps=3):
    model, optim = start(phase)
    torch.manual_seed(7)  # the noise
    logs = [model.train_step(seg_batch(seed=step), optim) for step in range(steps)]
    return model, logs


def test_joint_training_leaves_the_recognizer_as_it_is():
    """Weights and statistics, bit for bit, though the denoiser learns from it."""
    before, _ = start(JOINT)
    model, logs = train(JOINT)
    for name, value in before.recognizer.state_dict().items():
        assert torch.equal(model.recognizer.state_dict()[name], value), name
    start_of = dict(before.restorer.named_parameters())
    for name, parameter in model.restorer.named_parameters():
        if not name.endswith('conv.bias'):  # which the batch norm behind it takes away again
            assert not torch.equal(parameter, start_of[name]), name
    assert model.recognizer.training and logs[0]['loss_task_sr'] > 0
    assert all(parameter.grad is None for parameter in model.recognizer.parameters())


def gradients(phase):
    """What an iteration would step by."""
    model, optim = start(phase)
    optim['restorer'].step = lambda *args, **kwargs: None
    optim['restorer'].zero_grad = lambda *args, **kwargs: None
    torch.manual_seed(7)
    model.train_step(seg_batch(), optim)
    return [parameter.grad.clone() for parameter in model.restorer.parameters()], model


def test_the_gradient_is_that_of_mse_plus_lambda_times_the_task():
    joint, model = gradients(JOINT)
    alone, _ = gradients(ALONE)
    assert all(not torch.equal(one, other) for one, other in zip(joint, alone))
    # by hand, from the same start and the same noise
    reference, _ = start(JOINT)
    data = reference.data_preprocessor(seg_batch(), True)
    hr, sizes = data['inputs']['hr'], data['inputs']['sizes']
    torch.manual_seed(7)
    sr = reference.restorer(hr + torch.randn(hr.shape) * (25 / 255))
    recognizer = copy.deepcopy(reference.recognizer).eval()
    task = recognizer.loss(reference.recognizer_input(sr, sizes), data['data_samples'])['decode.loss_ce']
    ((sr - hr) ** 2).mean().add(0.25 * task).backward()
    for ours, expected in zip(joint, reference.restorer.parameters()):
        assert torch.allclose(ours, expected.grad, rtol=1e-4, atol=1e-7)


def test_lambda_zero_is_the_denoiser_alone_exactly():
    zero, logs = train(ZERO)
    alone, expected = train(ALONE)
    joint, _ = train(JOINT)
    assert [log['loss_pixel'] for log in logs] == [log['loss_pixel'] for log in expected]
    for name, value in alone.restorer.state_dict().items():
        assert torch.equal(zero.restorer.state_dict()[name], value), name
    assert not torch.equal(joint.restorer.conv0.weight, alone.restorer.conv0.weight)


def test_lambda_zero_is_the_denoiser_alone_even_where_the_task_loss_is_no_number():
    model, optim = start(ZERO)
    model.loss_task_sr = lambda batch: batch.sr.sum() * float('nan')
    assert torch.isfinite(model.train_step(seg_batch(), optim)['loss'])
    assert all(torch.isfinite(parameter).all() for parameter in model.restorer.parameters())


def test_the_pixel_loss_is_chosen_by_the_config():
    batch = seg_batch()
    losses = {}
    for name, cfg in dict(l1=None, mse=dict(type='torch.nn.MSELoss'), mmagic=dict(type='mmagic.MSELoss')).items():
        model, optim = build([ALONE], **without_type(denoise_cfg(pixel=cfg)))
        torch.manual_seed(7)
        losses[name] = model.train_step(batch, optim)['loss_pixel'].item()
    hr = torch.stack(batch['inputs']).float()[:, [2, 1, 0]] / 255
    model, _ = build([ALONE], **without_type(denoise_cfg()))
    torch.manual_seed(7)
    error = model.restorer(hr + torch.randn(hr.shape) * (25 / 255)) - hr
    assert losses['l1'] == pytest.approx(error.abs().mean().item(), rel=1e-5)
    assert losses['mse'] == pytest.approx((error**2).mean().item(), rel=1e-5) == losses['mmagic']
