"""Weights of other codebases: the same image in, the same image or scores out.

The networks of the source layouts are written here from their published descriptions, as small as they get.
"""
import copy
import math

import pytest
import torch
import torch.nn.functional as F
import torchvision
from mmengine.registry import init_default_scope
from torch import nn

from sr4ir_mm.checkpoints import load_checkpoint, load_part
from sr4ir_mm.registry import MODELS
from sr4ir_mm.utils import CheckpointError, ConfigError

RGB_MEAN = (0.4488, 0.4371, 0.4040)


def conv(inside, outside):
    return nn.Conv2d(inside, outside, 3, padding=1)


class EDSRBlock(nn.Module):

    def __init__(self, width):
        super().__init__()
        self.body = nn.Sequential(conv(width, width), nn.ReLU(), conv(width, width))

    def forward(self, x):
        return x + self.body(x)


class EDSR(nn.Module):
    """EDSR-PyTorch's layout: RGB in 0–255, the mean of DIV2K off and on by 1×1 convolutions."""

    def __init__(self, scale, width=8, blocks=2):
        super().__init__()
        self.sub_mean, self.add_mean = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)
        for shift, sign in ((self.sub_mean, -1), (self.add_mean, 1)):
            shift.weight.data = torch.eye(3)[..., None, None]
            shift.bias.data = sign * 255 * torch.tensor(RGB_MEAN)
        self.head = nn.Sequential(conv(3, width))
        self.body = nn.Sequential(*(EDSRBlock(width) for _ in range(blocks)), conv(width, width))
        steps = [3] if scale == 3 else [2] * int(math.log2(scale))
        upsampler = [layer for step in steps for layer in (conv(width, width * step**2), nn.PixelShuffle(step))]
        self.tail = nn.Sequential(nn.Sequential(*upsampler), conv(width, 3))

    def forward(self, x):
        x = self.head(self.sub_mean(x))
        return self.add_mean(self.tail(x + self.body(x)))


def windows(x, size):
    """(B, H, W, C) -> (windows, size², C)."""
    batch, height, width, channels = x.shape
    x = x.view(batch, height // size, size, width // size, size, channels)
    return x.transpose(2, 3).reshape(-1, size * size, channels)


def unwindows(x, size, height, width):
    x = x.view(-1, height // size, width // size, size, size, x.shape[-1])
    return x.transpose(2, 3).reshape(-1, height, width, x.shape[-1])


class Attention(nn.Module):

    def __init__(self, dim, size, heads):
        super().__init__()
        self.heads = heads
        self.relative_position_bias_table = nn.Parameter(torch.randn((2 * size - 1)**2, heads))
        where = torch.stack(torch.meshgrid(torch.arange(size), torch.arange(size), indexing='ij')).flatten(1)
        apart = where[:, :, None] - where[:, None] + size - 1
        self.register_buffer('relative_position_index', apart[0] * (2 * size - 1) + apart[1])
        self.qkv, self.proj = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)

    def forward(self, x, mask):
        count, length, dim = x.shape
        q, k, v = self.qkv(x).view(count, length, 3, self.heads, dim // self.heads).permute(2, 0, 3, 1, 4)
        bias = self.relative_position_bias_table[self.relative_position_index].permute(2, 0, 1)
        if mask is not None:
            bias = bias + mask.repeat(count // len(mask), 1, 1)[:, None]
        return self.proj(
            F.scaled_dot_product_attention(q, k, v, attn_mask=bias.expand(count, -1, -1,
                                                                          -1)).transpose(1, 2).reshape(x.shape))


class Block(nn.Module):

    def __init__(self, dim, size, heads, shift, trained_size):
        super().__init__()
        self.size, self.shift = size, shift
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attn = Attention(dim, size, heads)
        self.mlp = nn.Module()
        self.mlp.fc1, self.mlp.fc2 = nn.Linear(dim, 2 * dim), nn.Linear(2 * dim, dim)
        if shift:
            self.register_buffer('attn_mask', self.mask(trained_size, trained_size))

    def mask(self, height, width):
        region = torch.zeros(1, height, width, 1)
        for index, (rows, columns) in enumerate((rows, columns) for rows in self.cuts() for columns in self.cuts()):
            region[:, rows, columns] = index
        region = windows(region, self.size).squeeze(-1)
        return torch.where(region[:, None] == region[:, :, None], 0., -100.)

    def cuts(self):
        return slice(0, -self.size), slice(-self.size, -self.shift), slice(-self.shift, None)

    def forward(self, x):
        height, width = x.shape[1:3]
        y = torch.roll(self.norm1(x), (-self.shift, -self.shift), (1, 2))
        y = self.attn(windows(y, self.size), self.mask(height, width) if self.shift else None)
        x = x + torch.roll(unwindows(y, self.size, height, width), (self.shift, self.shift), (1, 2))
        return x + self.mlp.fc2(F.gelu(self.mlp.fc1(self.norm2(x))))


class SwinIR(nn.Module):
    """The authors' layout: `layers.i.residual_group.blocks.j`, classical upsampling, RGB in 0–1."""

    def __init__(self, scale, dim=8, size=4, heads=2, trained_size=8, feat=64):
        super().__init__()
        self.conv_first = conv(3, dim)
        self.patch_embed = nn.Module()
        self.patch_embed.norm = nn.LayerNorm(dim)
        layers = []
        for _ in range(2):
            layer = nn.Module()
            layer.residual_group = nn.Module()
            layer.residual_group.blocks = nn.ModuleList(
                Block(dim, size, heads, shift, trained_size) for shift in (0, size // 2))
            layer.conv = conv(dim, dim)
            layers.append(layer)
        self.layers = nn.ModuleList(layers)
        self.norm = nn.LayerNorm(dim)
        self.conv_after_body = conv(dim, dim)
        self.conv_before_upsample = nn.Sequential(conv(dim, feat), nn.LeakyReLU(0.01))
        steps = [3] if scale == 3 else [2] * int(math.log2(scale))
        self.upsample = nn.Sequential(*(layer for step in steps
                                        for layer in (conv(feat, feat * step**2), nn.PixelShuffle(step))))
        self.conv_last = conv(feat, 3)

    def forward(self, x):
        mean = torch.tensor(RGB_MEAN).view(1, 3, 1, 1)
        first = self.conv_first(x - mean)
        x = self.patch_embed.norm(first.permute(0, 2, 3, 1))
        for layer in self.layers:
            y = x
            for block in layer.residual_group.blocks:
                y = block(y)
            x = x + layer.conv(y.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        x = self.conv_after_body(self.norm(x).permute(0, 3, 1, 2)) + first
        return self.conv_last(self.upsample(self.conv_before_upsample(x))) + mean


def converted(tool, tmp_path, layout, *networks, options=(), name='out.pth'):
    files = []
    for index, network in enumerate(networks):
        files.append(str(tmp_path / f'{index}.pth'))
        torch.save(network, files[-1])
    tool('model_converters/convert').main([layout, *files, str(tmp_path / name), *options])
    return str(tmp_path / name)


def edsr_cfg(scale, factor=1.):
    return dict(
        type='mmagic.EDSRNet',
        in_channels=3,
        out_channels=3,
        mid_channels=8,
        num_blocks=2,
        upscale_factor=scale,
        rgb_mean=[factor * value for value in RGB_MEAN])


def cascade(scale, restorer, **kwargs):
    return MODELS.build(
        dict(
            type='sr4ir_mm.CascadeSegmentor',
            scale=scale,
            restorer=restorer,
            data_preprocessor=dict(type='mmseg.SegDataPreProcessor'),
            **kwargs)).eval()


@pytest.mark.parametrize('rescale', [False, True], ids=['img_range', 'rescaled biases'])
@pytest.mark.parametrize('scale', [2, 3, 4, 8])
def test_edsr(tool, tmp_path, scale, rescale):
    source = EDSR(scale).eval()
    path = converted(
        tool,
        tmp_path,
        'edsr',
        source.state_dict(),
        options=['--rescale-biases'] * rescale,
        name='out.safetensors' if scale == 2 else 'out.pth')
    restorer = dict(edsr_cfg(scale, 1 if rescale else 255), init_cfg=dict(type='Pretrained', checkpoint=path))
    ours = cascade(scale, restorer, img_range=1 if rescale else 255)
    ours.load_pretrained()
    image = torch.rand(1, 3, 12, 10)
    with torch.no_grad():
        assert torch.allclose(ours.restore(image), source(image * 255) / 255, atol=1e-5)


@pytest.mark.parametrize('scale', [2, 3, 4, 8])
def test_swinir(tool, tmp_path, scale):
    source = SwinIR(scale).eval()
    path = converted(tool, tmp_path, 'swinir', dict(params_ema=source.state_dict(), params=SwinIR(scale).state_dict()))
    # another size of training images than that of the source
    restorer = dict(
        type='mmagic.SwinIRNet',
        upscale=scale,
        in_chans=3,
        img_size=16,
        window_size=4,
        img_range=1.0,
        depths=[2, 2],
        embed_dim=8,
        num_heads=[2, 2],
        mlp_ratio=2,
        upsampler='pixelshuffle',
        resi_connection='1conv',
        init_cfg=dict(type='Pretrained', checkpoint=path))
    ours = cascade(scale, restorer)
    ours.load_pretrained()
    image = torch.rand(1, 3, 12, 8)
    with torch.no_grad():
        assert torch.allclose(ours.restore(image), source(image), atol=1e-5)


def shaken(network):
    """With batch-norm statistics that are not those of a new network."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return network.eval()


def classifier_cfg(backbone, head):
    return dict(type='ImageClassifier', backbone=backbone, neck=dict(type='GlobalAveragePooling'), head=head)


CLASSIFIERS = dict(
    resnet18=('resnet',
              classifier_cfg(dict(type='ResNet', depth=18), dict(type='LinearClsHead', in_channels=512,
                                                                 num_classes=7))),
    resnet50=('resnet',
              classifier_cfg(
                  dict(type='ResNet', depth=50), dict(type='LinearClsHead', in_channels=2048, num_classes=7))),
    mobilenet_v3_large=('mobilenetv3',
                        classifier_cfg(
                            dict(type='MobileNetV3', arch='large'),
                            dict(
                                type='StackedLinearClsHead',
                                num_classes=7,
                                in_channels=960,
                                mid_channels=[1280],
                                act_cfg=dict(type='HSwish')))),
    mobilenet_v3_small=('mobilenetv3',
                        classifier_cfg(
                            dict(type='MobileNetV3', arch='small'),
                            dict(
                                type='StackedLinearClsHead',
                                num_classes=7,
                                in_channels=576,
                                mid_channels=[1024],
                                act_cfg=dict(type='HSwish')))))


@pytest.mark.parametrize('arch', CLASSIFIERS)
def test_torchvision(tool, tmp_path, arch):
    init_default_scope('mmpretrain')
    layout, cfg = CLASSIFIERS[arch]
    source = shaken(getattr(torchvision.models, arch)(num_classes=7))
    path = converted(tool, tmp_path, layout, source.state_dict())
    ours = MODELS.build(dict(cfg, _scope_='mmpretrain')).eval()
    report = load_part(ours, path, whole=True)
    assert not report.missing and not report.unexpected
    image = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        expected = source(image)
        assert torch.allclose(ours(image), expected, atol=1e-5 * expected.abs().max().item())
    # and the backbone alone, which a host library takes by `prefix`
    backbone = MODELS.build(
        dict(
            cfg['backbone'], _scope_='mmpretrain', init_cfg=dict(type='Pretrained', checkpoint=path,
                                                                 prefix='backbone')))
    backbone.init_weights()
    assert all(torch.equal(value, ours.backbone.state_dict()[name]) for name, value in backbone.state_dict().items())


@pytest.mark.parametrize('rescale', [False, True])
def test_sr4ir_cascade(tool, tmp_path, rescale):
    init_default_scope('mmpretrain')
    restorer, classifier = EDSR(4).eval(), shaken(torchvision.models.resnet18(num_classes=7))
    path = converted(
        tool,
        tmp_path,
        'sr4ir',
        dict(params=restorer.state_dict()), {
            f'module.{name}': value
            for name, value in classifier.state_dict().items()
        },
        options=['--rescale-biases'] * rescale)
    mean, std = torch.tensor([123.675, 116.28, 103.53]), torch.tensor([58.395, 57.12, 57.375])
    ours = MODELS.build(
        dict(
            type='sr4ir_mm.CascadeClassifier',
            scale=4,
            img_range=1 if rescale else 255,
            restorer=edsr_cfg(4, 1 if rescale else 255),
            recognizer=dict(
                copy.deepcopy(CLASSIFIERS['resnet18'][1]),
                data_preprocessor=dict(mean=mean.tolist(), std=std.tolist(), to_rgb=True)))).eval()
    ours.load_state_dict(load_checkpoint(path)['state_dict'])
    lr = torch.rand(2, 3, 16, 16)
    with torch.no_grad():
        sr = restorer(lr * 255) / 255
        expected = classifier((sr - mean.view(3, 1, 1) / 255) / (std.view(3, 1, 1) / 255))
        found = ours(dict(hr=None, sizes=[(64, 64)] * 2, lr=lr), mode='tensor')
    assert torch.allclose(ours.restore(lr), sr, atol=1e-5)
    assert torch.allclose(found, expected, atol=1e-5 * expected.abs().max().item())


def test_a_wrong_layout_is_told(tool, tmp_path):
    with pytest.raises(CheckpointError, match='not in the layout of EDSR-PyTorch: .* for example conv1.weight'):
        converted(tool, tmp_path, 'edsr', torchvision.models.resnet18().state_dict())
    with pytest.raises(CheckpointError, match="not in the layout of torchvision's ResNet.*sub_mean.weight"):
        converted(tool, tmp_path, 'resnet', EDSR(2).state_dict())
    with pytest.raises(ConfigError, match='sr4ir takes 2 files, but 1 are given'):
        converted(tool, tmp_path, 'sr4ir', EDSR(2).state_dict())
    with pytest.raises(ConfigError, match='--rescale-biases is of EDSR'):
        converted(tool, tmp_path, 'swinir', EDSR(2).state_dict(), options=['--rescale-biases'])
