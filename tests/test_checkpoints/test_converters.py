"""Weights of other codebases: the same image in, the same image or scores out.

The networks of the source layouts are written here from their published descriptions, as small as they get.
"""

import copy
import math
import re
from collections import OrderedDict
from functools import partial
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
import torchvision
from mmcv.ops import batched_nms
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import nn
from torchvision.models.detection.backbone_utils import mobilenet_backbone
from torchvision.models.detection.faster_rcnn import AnchorGenerator, FasterRCNN, FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.image_list import ImageList
from torchvision.models.segmentation import deeplabv3_mobilenet_v3_large

from sr4ir_mm.checkpoints import load_checkpoint, load_part
from sr4ir_mm.checkpoints.converters import from_deeplabv3, from_faster_rcnn
from sr4ir_mm.checkpoints.integrity import check_filled
from sr4ir_mm.errors import CheckpointError, ConfigError
from sr4ir_mm.registry import MODELS

ROOT = Path(__file__).parents[2]

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
        self.relative_position_bias_table = nn.Parameter(torch.randn((2 * size - 1) ** 2, heads))
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
            F.scaled_dot_product_attention(q, k, v, attn_mask=bias.expand(count, -1, -1, -1))
            .transpose(1, 2)
            .reshape(x.shape)
        )


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
        return torch.where(region[:, None] == region[:, :, None], 0.0, -100.0)

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
                Block(dim, size, heads, shift, trained_size) for shift in (0, size // 2)
            )
            layer.conv = conv(dim, dim)
            layers.append(layer)
        self.layers = nn.ModuleList(layers)
        self.norm = nn.LayerNorm(dim)
        self.conv_after_body = conv(dim, dim)
        self.conv_before_upsample = nn.Sequential(conv(dim, feat), nn.LeakyReLU(0.01))
        steps = [3] if scale == 3 else [2] * int(math.log2(scale))
        self.upsample = nn.Sequential(
            *(layer for step in steps for layer in (conv(feat, feat * step**2), nn.PixelShuffle(step)))
        )
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


def edsr_cfg(scale, factor=1.0):
    return dict(
        type='mmagic.EDSRNet',
        in_channels=3,
        out_channels=3,
        mid_channels=8,
        num_blocks=2,
        upscale_factor=scale,
        rgb_mean=[factor * value for value in RGB_MEAN],
    )


def swinir_cfg(scale):
    """With another size of training images than that of the source."""
    return dict(
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
    )


def cascade(scale, restorer, **kwargs):
    return MODELS.build(
        dict(
            type='sr4ir_mm.CascadeSegmentor',
            scale=scale,
            restorer=restorer,
            data_preprocessor=dict(type='mmseg.SegDataPreProcessor'),
            **kwargs,
        )
    ).eval()


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
        name='out.safetensors' if scale == 2 else 'out.pth',
    )
    restorer = dict(
        edsr_cfg(scale, 1 if rescale else 255),
        value_range=1 if rescale else 255,
        init_cfg=dict(type='Pretrained', checkpoint=path),
    )
    ours = cascade(scale, restorer)
    ours.load_pretrained()
    image = torch.rand(1, 3, 12, 10)
    with torch.no_grad():
        assert torch.allclose(ours.restoration(image), source(image * 255) / 255, atol=1e-5)


@pytest.mark.parametrize('scale', [2, 3, 4, 8])
def test_swinir(tool, tmp_path, scale):
    source = SwinIR(scale).eval()
    path = converted(tool, tmp_path, 'swinir', dict(params_ema=source.state_dict(), params=SwinIR(scale).state_dict()))
    restorer = dict(swinir_cfg(scale), init_cfg=dict(type='Pretrained', checkpoint=path))
    ours = cascade(scale, restorer)
    ours.load_pretrained()
    image = torch.rand(1, 3, 12, 8)
    with torch.no_grad():
        assert torch.allclose(ours.restoration(image), source(image), atol=1e-5)


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
    resnet18=(
        'resnet',
        classifier_cfg(dict(type='ResNet', depth=18), dict(type='LinearClsHead', in_channels=512, num_classes=7)),
    ),
    resnet50=(
        'resnet',
        classifier_cfg(dict(type='ResNet', depth=50), dict(type='LinearClsHead', in_channels=2048, num_classes=7)),
    ),
    mobilenet_v3_large=(
        'mobilenetv3',
        classifier_cfg(
            dict(type='MobileNetV3', arch='large'),
            dict(
                type='StackedLinearClsHead',
                num_classes=7,
                in_channels=960,
                mid_channels=[1280],
                act_cfg=dict(type='HSwish'),
            ),
        ),
    ),
    mobilenet_v3_small=(
        'mobilenetv3',
        classifier_cfg(
            dict(type='MobileNetV3', arch='small'),
            dict(
                type='StackedLinearClsHead',
                num_classes=7,
                in_channels=576,
                mid_channels=[1024],
                act_cfg=dict(type='HSwish'),
            ),
        ),
    ),
)


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
            cfg['backbone'], _scope_='mmpretrain', init_cfg=dict(type='Pretrained', checkpoint=path, prefix='backbone')
        )
    )
    backbone.init_weights()
    assert all(torch.equal(value, ours.backbone.state_dict()[name]) for name, value in backbone.state_dict().items())


def close(found, expected):
    return torch.allclose(found, expected, atol=1e-5 * expected.abs().max().item())


def recognizer_cfg(name, **overrides):
    cfg = Config.fromfile(ROOT / f'configs/_base_/models/{name}.py')
    cfg.model.recognizer.backbone.init_cfg = None
    cfg.merge_from_dict({f'model.recognizer.{key}': value for key, value in overrides.items()})
    return cfg.model.recognizer


def deeplabv3():
    return shaken(deeplabv3_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=21, aux_loss=True))


def test_deeplabv3(tool, tmp_path):
    source = deeplabv3()
    path = converted(tool, tmp_path, 'deeplabv3', source.state_dict())
    ours = MODELS.build(recognizer_cfg('deeplabv3_mobilenetv3')).eval()
    report = load_part(ours, path, whole=True)
    assert not report.missing and not report.unexpected
    image = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        expected, features = source(image), ours.extract_feat(image)
        for head, name in ((ours.decode_head, 'out'), (ours.auxiliary_head, 'aux')):
            assert close(F.interpolate(head(features), (64, 96), mode='bilinear'), expected[name])


def test_deeplabv3_resnet(monkeypatch):
    """On a ResNet of bottlenecks with one or two blocks a stage."""
    from mmseg.models.backbones.resnet import Bottleneck, ResNet
    from torchvision.models.segmentation.deeplabv3 import DeepLabHead, DeepLabV3, FCNHead, IntermediateLayerGetter

    backbone = torchvision.models.ResNet(
        torchvision.models.resnet.Bottleneck, [1, 1, 2, 2], replace_stride_with_dilation=[False, True, True]
    )
    source = shaken(
        DeepLabV3(
            IntermediateLayerGetter(backbone, dict(layer3='aux', layer4='out')), DeepLabHead(2048, 5), FCNHead(1024, 5)
        )
    )
    monkeypatch.setitem(ResNet.arch_settings, 50, (Bottleneck, (1, 1, 2, 2)))
    ours = MODELS.build(
        recognizer_cfg(
            'deeplabv3_mobilenetv3',
            backbone=dict(
                _delete_=True,
                type='ResNet',
                depth=50,
                strides=(1, 2, 1, 1),
                dilations=(1, 1, 2, 4),
                contract_dilation=True,
                norm_cfg=dict(type='BN'),
            ),
            decode_head=dict(in_channels=2048, in_index=3, num_classes=5),
            auxiliary_head=dict(in_channels=1024, in_index=2, channels=256, num_classes=5),
        )
    ).eval()
    found = ours.load_state_dict(from_deeplabv3(source.state_dict()), strict=False)
    assert not found.unexpected_keys and not found.missing_keys
    image = torch.randn(1, 3, 48, 64)
    with torch.no_grad():
        expected, features = source(image), ours.extract_feat(image)
        for head, name in ((ours.decode_head, 'out'), (ours.auxiliary_head, 'aux')):
            assert close(F.interpolate(head(features), (48, 64), mode='bilinear'), expected[name])


def faster_rcnn():
    """torchvision's fasterrcnn_mobilenet_v3_large_fpn with frozen batch norms and a narrower head."""
    torch.manual_seed(0)
    options = dict(backbone_name='mobilenet_v3_large', weights=None, fpn=True, trainable_layers=3)
    learning = mobilenet_backbone(norm_layer=partial(nn.BatchNorm2d, momentum=1.0), **options)
    learning(torch.randn(2, 3, 64, 128))  # without statistics of their own input, features hardly depend on the image
    backbone = mobilenet_backbone(**options)
    backbone.load_state_dict(learning.state_dict())
    source = FasterRCNN(
        backbone,
        rpn_anchor_generator=AnchorGenerator(((32, 64, 128, 256, 512),) * 3, ((0.5, 1.0, 2.0),) * 3),
        rpn_score_thresh=0.05,
        box_head=TwoMLPHead(256 * 7 * 7, 64),
        box_predictor=FastRCNNPredictor(64, 21),
    )
    for layer, std in (
        (source.rpn.head.cls_logits, 0.3),
        (source.rpn.head.bbox_pred, 0.03),
        (source.roi_heads.box_predictor.cls_score, 0.5),
        (source.roi_heads.box_predictor.bbox_pred, 0.1),
    ):
        nn.init.normal_(layer.weight, std=std)  # so that boxes differ and some are sure
        nn.init.normal_(layer.bias, std=std)
    return source.eval()


def detector_cfg():
    return recognizer_cfg(
        'faster-rcnn_mobilenetv3',
        **{'roi_head.bbox_head.fc_out_channels': 64, 'test_cfg.rpn.nms.score_threshold': 0.05},
    )


def nms_in_float64(boxes, scores, iou_threshold, score_threshold=0.0, **kwargs):
    """torchvision's NMS as mmcv's is called; that one takes float32 only, where near ties are decided by rounding."""
    known = (scores > score_threshold).nonzero().squeeze(1)
    kept = known[torchvision.ops.nms(boxes[known], scores[known], iou_threshold)]
    return torch.cat([boxes[kept], scores[kept, None]], dim=1), kept


def test_faster_rcnn(tool, tmp_path, monkeypatch):
    """In float64: features, scores and boxes of proposals and RoIs, and the detections."""
    from mmdet.structures import DetDataSample
    from mmdet.structures.bbox import bbox2roi

    source = faster_rcnn()
    path = converted(tool, tmp_path, 'faster-rcnn', source.state_dict(), name='out.safetensors')
    ours = MODELS.build(detector_cfg()).eval()
    report = load_part(ours, path, whole=True)
    assert not report.missing and not report.unexpected
    for module in ours.backbone.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = 1e-5  # of torchvision's frozen batch norms
    # torchvision's anchors have whole numbers of pixels
    generator = ours.rpn_head.prior_generator
    generator.base_anchors = [anchors.round().double() for anchors in generator.base_anchors]
    monkeypatch.setitem(batched_nms.__globals__, 'nms', nms_in_float64)

    def close(found, expected):
        return torch.allclose(found, expected, rtol=0, atol=1e-10 * expected.abs().max().item())

    source, ours = source.double(), ours.double()
    torch.manual_seed(0)
    image, size = torch.randn(1, 3, 64, 128).double(), (64, 128)
    sample = DetDataSample(metainfo=dict(img_shape=size, ori_shape=size, scale_factor=(1.0, 1.0)))
    with torch.no_grad():
        expected, found = source.backbone(image), ours.extract_feat(image)
        assert len(found) == len(expected) == 3 and all(map(close, found, expected.values()))
        for one, other in zip(ours.rpn_head(found), source.rpn.head(list(expected.values()))):
            assert all(map(close, one, other))
        proposals, _ = source.rpn(ImageList(image, [size]), expected)
        assert len(proposals[0]) > 20
        own_proposals = ours.rpn_head.predict(found, [sample], rescale=False)
        assert close(own_proposals[0].bboxes, proposals[0])
        heads = source.roi_heads
        scores, boxes = heads.box_predictor(heads.box_head(heads.box_roi_pool(expected, proposals, [size])))
        result = ours.roi_head._bbox_forward(found, bbox2roi(proposals))
        assert close(result['cls_score'], torch.cat([scores[:, 1:], scores[:, :1]], dim=1))
        assert close(result['bbox_pred'], boxes[:, 4:])
        expected = heads(expected, proposals, [size])[0][0]
        found = ours.roi_head.predict(found, own_proposals, [sample], rescale=False)[0]
    assert len(expected['labels']) > 50 and len(expected['labels'].unique()) > 2
    assert torch.equal(found.labels, expected['labels'] - 1)
    assert close(found.scores, expected['scores']) and close(found.bboxes, expected['boxes'])


def test_faster_rcnn_of_older_torchvisions():
    """Until torchvision 0.13 the convolutions of FPN and RPN had no Sequential around them."""
    weights = names_of(faster_rcnn())
    older = {
        re.sub(r'((?:fpn\.\w+\.\d|rpn\.head\.conv))\.(?:0\.)+', r'\1.', name): value for name, value in weights.items()
    }
    assert {'backbone.fpn.inner_blocks.0.weight', 'rpn.head.conv.bias'} <= older.keys() - weights.keys()
    assert from_faster_rcnn(older).keys() == from_faster_rcnn(weights).keys()


def names_of(network):
    """Its names, with small tensors."""
    return {name: torch.zeros(8, 8) for name in network.state_dict()}


def training_checkpoint(**networks):
    """As SR4IR's reference writes ``checkpoint_latest.pth``: options and state of the schedules beside the networks."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=5)
    return dict(
        epoch=100,
        opt=OrderedDict(name='024_SR4IR_edsr_x8', scale=8, train=OrderedDict(betas=[0.9, 0.999], eta_min=1e-6)),
        schedulers=[schedule.state_dict()],
        **{name: network.state_dict() for name, network in networks.items()},
    )


@pytest.mark.parametrize('rescale', [False, True])
def test_sr4ir_cascade(tool, tmp_path, rescale):
    init_default_scope('mmpretrain')
    restorer, classifier = EDSR(4).eval(), shaken(torchvision.models.resnet18(num_classes=7))
    path = converted(
        tool,
        tmp_path,
        'sr4ir',
        dict(params=restorer.state_dict()),
        {f'module.{name}': value for name, value in classifier.state_dict().items()},
        options=['--rescale-biases'] * rescale,
    )
    mean, std = torch.tensor([123.675, 116.28, 103.53]), torch.tensor([58.395, 57.12, 57.375])
    ours = MODELS.build(
        dict(
            type='sr4ir_mm.CascadeClassifier',
            scale=4,
            restorer=dict(edsr_cfg(4, 1 if rescale else 255), value_range=1 if rescale else 255),
            recognizer=dict(
                copy.deepcopy(CLASSIFIERS['resnet18'][1]),
                data_preprocessor=dict(mean=mean.tolist(), std=std.tolist(), to_rgb=True),
            ),
        )
    ).eval()
    ours.load_state_dict(load_checkpoint(path)['state_dict'])
    lr = torch.rand(2, 3, 16, 16)
    with torch.no_grad():
        sr = restorer(lr * 255) / 255
        expected = classifier((sr - mean.view(3, 1, 1) / 255) / (std.view(3, 1, 1) / 255))
        found = ours(dict(hr=None, sizes=[(64, 64)] * 2, lr=lr), mode='tensor')
    assert torch.allclose(ours.restoration(lr), sr, atol=1e-5)
    assert torch.allclose(found, expected, atol=1e-5 * expected.abs().max().item())


@pytest.mark.parametrize('files', [1, 2])
def test_sr4ir_segmentation(tool, tmp_path, files):
    init_default_scope('mmseg')
    restorer, source = EDSR(4).eval(), deeplabv3()
    networks = (
        [training_checkpoint(net_sr=restorer, net_seg=source)]
        if files == 1
        else [restorer.state_dict(), source.state_dict()]
    )
    path = converted(tool, tmp_path, 'sr4ir', *networks, options=['--rescale-biases'])
    recognizer = recognizer_cfg('deeplabv3_mobilenetv3')
    ours = MODELS.build(
        dict(type='sr4ir_mm.CascadeSegmentor', scale=4, restorer=edsr_cfg(4), recognizer=recognizer)
    ).eval()
    state = load_checkpoint(path)['state_dict']
    check_filled(ours, state, path, 'the model', 'look')  # as tools/test.py does
    assert not ours.load_state_dict(state, strict=False).unexpected_keys
    lr = torch.rand(1, 3, 16, 24)
    mean, std = (torch.tensor(recognizer.data_preprocessor[key]).view(3, 1, 1) for key in ('mean', 'std'))
    with torch.no_grad():
        sr = restorer(lr * 255) / 255
        expected = source((sr * 255 - mean) / std)['out']
        found = ours(dict(hr=None, sizes=[(64, 96)], lr=lr), mode='tensor')
        assert close(F.interpolate(found, (64, 96), mode='bilinear'), expected)


def test_a_cascade_with_swinir_is_whole(tool, tmp_path):
    """Its masks and indices are not converted: the network makes them."""
    init_default_scope('mmpretrain')
    path = converted(
        tool,
        tmp_path,
        'sr4ir',
        torchvision.models.resnet18(num_classes=7).state_dict(),
        dict(params=SwinIR(2).state_dict()),
    )  # in any order
    ours = MODELS.build(
        dict(
            type='sr4ir_mm.CascadeClassifier',
            scale=2,
            restorer=swinir_cfg(2),
            recognizer=copy.deepcopy(CLASSIFIERS['resnet18'][1]),
            data_preprocessor=dict(type='ClsDataPreprocessor'),
        )
    )
    check_filled(ours, load_checkpoint(path)['state_dict'], path, 'the model', 'look')


def test_sr4ir_detection(tool, tmp_path):
    init_default_scope('mmdet')
    restorer, source = EDSR(4), faster_rcnn()
    checkpoint = training_checkpoint(net_sr=restorer, net_det=source)
    path = converted(tool, tmp_path, 'sr4ir', checkpoint)
    ours = MODELS.build(
        dict(
            type='sr4ir_mm.CascadeDetector',
            scale=4,
            restorer=dict(edsr_cfg(4, 255), value_range=255),
            recognizer=detector_cfg(),
        )
    )
    state = load_checkpoint(path)['state_dict']
    check_filled(ours, state, path, 'the model', 'look')
    # the networks of a training checkpoint one by one: the same weights
    for layout, prefix in (('edsr', 'restorer.'), ('faster-rcnn', 'recognizer.')):
        part = load_checkpoint(converted(tool, tmp_path, layout, checkpoint, name='part.pth'))['state_dict']
        part = {name.removeprefix('generator.'): value for name, value in part.items()}
        of_cascade = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
        assert part.keys() == of_cascade.keys()
        assert all(torch.equal(value, of_cascade[name]) for name, value in part.items())


def test_a_wrong_layout_is_told(tool, tmp_path):
    resnet, swinir, edsr = torchvision.models.resnet18().state_dict(), SwinIR(2).state_dict(), EDSR(2).state_dict()
    mobilenet, segmentor, detector = map(
        names_of, (torchvision.models.mobilenet_v3_large(), deeplabv3(), faster_rcnn())
    )
    for layout, weights, message in (
        ('edsr', resnet, r'not in the layout of EDSR-PyTorch: .* for example conv1\.weight'),
        ('resnet', edsr, r"not in the layout of torchvision's ResNet.*sub_mean\.weight.*EDSR-PyTorch.*`edsr`"),
        ('swinir', edsr, r"of the authors' SwinIR: .*They are those of EDSR-PyTorch; convert them with `edsr`"),
        ('edsr', swinir, r"of EDSR-PyTorch: .*They are those of the authors' SwinIR; convert them with `swinir`"),
        ('faster-rcnn', segmentor, r"torchvision's Faster R-CNN: .*of torchvision's DeepLabV3; .* `deeplabv3`"),
        ('deeplabv3', detector, r"torchvision's DeepLabV3: .*of torchvision's Faster R-CNN; .* `faster-rcnn`"),
        ('resnet', mobilenet, r"torchvision's ResNet: .*of torchvision's MobileNetV3; .* `mobilenetv3`"),
        ('mobilenetv3', resnet, r"torchvision's MobileNetV3: .*of torchvision's ResNet; .* `resnet`"),
        ('sr4ir', {'features.0.weight': torch.zeros(1)}, r'an unknown layout, with for example features\.0\.weight'),
        ('sr4ir', edsr, 'one restorer and one recognizer; given are: EDSR-PyTorch'),
        ('deeplabv3', dict(epoch=1, net_sr=edsr, net_det=detector),
         r"holds none in the layout of torchvision's DeepLabV3; .*"
         r"net_sr \(EDSR-PyTorch, `edsr`\), net_det \(torchvision's Faster R-CNN, `faster-rcnn`\)"),
    ):  # yapf: disable
        with pytest.raises(CheckpointError, match=rf'0\.pth.*{message}'):
            converted(tool, tmp_path, layout, weights)
    with pytest.raises(
        CheckpointError, match=r"1\.pth: .*one recognizer; given are: torchvision's ResNet, torchvision's R"
    ):
        converted(tool, tmp_path, 'sr4ir', resnet, resnet)
    with pytest.raises(ConfigError, match='sr4ir takes at most two files, but 3 are given'):
        converted(tool, tmp_path, 'sr4ir', edsr, resnet, resnet)
    with pytest.raises(ConfigError, match='--rescale-biases is only for EDSR'):
        converted(tool, tmp_path, 'swinir', edsr, options=['--rescale-biases'])
