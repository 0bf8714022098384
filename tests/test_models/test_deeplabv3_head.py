"""DeepLabV3 of the config against torchvision's own module: the same weights, the same scores and the same gradients."""

import copy
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
import torchvision
from mmengine.config import Config
from mmengine.structures import PixelData
from mmseg.models.decode_heads import ASPPHead, FCNHead
from mmseg.structures import SegDataSample
from torch import nn

from sr4ir_mm.checkpoints import load_part
from sr4ir_mm.checkpoints.converters import from_deeplabv3
from sr4ir_mm.errors import CheckpointError
from sr4ir_mm.models.precision import keep_float32
from sr4ir_mm.registry import MODELS

ROOT = Path(__file__).parents[2]


def build(**decode_head):
    cfg = Config.fromfile(ROOT / 'configs/_base_/models/deeplabv3_mobilenetv3.py').model.recognizer
    cfg.backbone.init_cfg = None
    cfg.decode_head.update(decode_head)
    return MODELS.build(cfg)


def spoil(network):
    """Statistics and scales of batch norms that no initialization gives."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.1)
    return network


@pytest.fixture(scope='module')
def both():
    """torchvision's network and ours with its weights, in float64: only a wrong network can differ."""
    torch.manual_seed(0)
    source = spoil(
        torchvision.models.segmentation.deeplabv3_mobilenet_v3_large(
            weights=None, weights_backbone=None, num_classes=21, aux_loss=True
        )
    )
    ours = build()
    ours.load_state_dict(from_deeplabv3(source.state_dict()))
    return source.double(), ours.double()


def scores(model, image):
    features = model.extract_feat(image)
    return [
        F.interpolate(head(features), image.shape[2:], mode='bilinear', align_corners=head.align_corners)
        for head in (model.decode_head, model.auxiliary_head)
    ]


def test_scores_are_torchvisions(both):
    source, ours = (network.eval() for network in both)
    # 38 columns at stride 16: each of the rates 12, 24 and 36 reaches other columns
    image = torch.randn(1, 3, 32, 608, dtype=torch.double)
    with torch.no_grad():
        expected = source(image)
        for found, wanted in zip(scores(ours, image), (expected['out'], expected['aux'])):
            assert (found - wanted).abs().max() <= 1e-12 * wanted.abs().max()


def test_gradients_and_statistics_are_torchvisions(both):
    """In train mode, dropout included: its draws have the same shapes in the same order."""
    source, ours = (copy.deepcopy(network).train() for network in both)
    image = torch.randn(2, 3, 32, 96, dtype=torch.double)
    labels = torch.randint(0, 21, (2, 32, 96))
    labels[0, :8] = 255
    torch.manual_seed(1)
    expected = source(image)
    loss = sum(
        weight * F.cross_entropy(expected[name], labels, ignore_index=255)
        for name, weight in (('out', 1.0), ('aux', 0.5))
    )
    loss.backward()
    torch.manual_seed(1)
    samples = [SegDataSample(gt_sem_seg=PixelData(data=each[None])) for each in labels]
    losses = ours.loss(image, samples)
    found = sum(value for name, value in losses.items() if 'loss' in name)
    found.backward()
    # mmseg adds float32's eps, 1.2e-7, to the number of pixels that it divides by
    torch.testing.assert_close(found, loss, rtol=1e-10, atol=0)
    gradients = from_deeplabv3({name: value.grad for name, value in source.named_parameters()})
    largest = max(value.abs().max() for value in gradients.values())
    assert gradients.keys() == dict(ours.named_parameters()).keys()
    for name, value in ours.named_parameters():
        assert (value.grad - gradients[name]).abs().max() <= 1e-10 * largest, name
    found, expected = ours.state_dict(), from_deeplabv3(source.state_dict())
    for name in expected:  # the running statistics of batch norms too
        torch.testing.assert_close(found[name], expected[name], rtol=1e-10, atol=1e-12, msg=name)


def test_number_of_parameters(both):
    source, ours = both

    def count(module):
        return sum(value.numel() for value in module.parameters())

    branches = 960 * 256 * (1 + 3 * 9 + 1) + 5 * 2 * 256
    fusion = 5 * 256 * 256 + 256 * 256 * 9 + 2 * 2 * 256
    assert count(ours.decode_head) == branches + fusion + 256 * 21 + 21 == count(source.classifier)  # 8.05 million
    assert count(ours.auxiliary_head) == count(source.aux_classifier)


def test_new_layers_are_drawn_as_pytorch_does():
    model = build()
    model.init_weights()
    for head in (model.decode_head, model.auxiliary_head):
        for name, module in head.named_modules():
            if isinstance(module, nn.Conv2d):
                limit = module.weight[0].numel() ** -0.5
                assert 0.9 * limit < module.weight.abs().max() <= limit, name


def test_scores_are_float32_under_autocast(bfloat16):
    model = build().eval()
    keep_float32(model)
    with torch.no_grad(), torch.autocast('cpu', torch.bfloat16):
        features = [torch.randn(1, 40, 4, 4), torch.randn(1, 960, 4, 4)]
        assert model.decode_head(features).dtype == model.auxiliary_head(features).dtype == torch.float32


def test_the_loss_is_mmsegs_without_the_accuracy(monkeypatch):
    torch.manual_seed(0)
    model = build().train()
    features = [torch.randn(2, 40, 8, 8), torch.randn(2, 960, 8, 8)]
    samples = []
    for _ in features:
        sample = SegDataSample(gt_sem_seg=PixelData(data=torch.randint(0, 4, (1, 32, 32))))
        sample.gt_sem_seg.data[0, :2] = 255
        samples.append(sample)
    for head, former in ((model.decode_head, ASPPHead), (model.auxiliary_head, FCNHead)):
        scores = head(features)
        expected = former.loss_by_feat(head, scores, samples)
        with monkeypatch.context() as patch:
            patch.setattr(torch.Tensor, 'topk', None)
            found = head.loss_by_feat(scores, samples)
        assert 'acc_seg' in expected and set(found) == set(expected) - {'acc_seg'}
        for name, loss in found.items():
            torch.testing.assert_close(loss, expected[name])


@pytest.fixture
def former(tmp_path):
    """A checkpoint from before the heads were torchvision's, and its network."""
    model = spoil(build(type='ASPPHead')).eval()
    names = model.state_dict()
    assert tuple(names['decode_head.bottleneck.conv.weight'].shape) == (256, 1280, 3, 3)
    assert 'auxiliary_head.convs.0.bn.weight' in names and 'auxiliary_head.conv_seg.weight' in names
    torch.save(
        dict(meta={}, state_dict={f'recognizer.{name}': value for name, value in names.items()}),
        tmp_path / 'former.pth',
    )
    return str(tmp_path / 'former.pth'), model


def test_a_former_checkpoint_loads_with_the_former_head(former):
    path, source = former
    model = build(type='ASPPHead').eval()
    report = load_part(model, path, whole=True)
    assert not report.missing and not report.unexpected
    image = torch.randn(1, 3, 32, 64)
    with torch.no_grad():
        assert all(torch.equal(*pair) for pair in zip(scores(model, image), scores(source, image)))


def test_a_former_checkpoint_names_the_former_head(former):
    advice = r"mmseg's ASPPHead.*set model\.recognizer\.decode_head\.type='ASPPHead'"
    with pytest.raises(CheckpointError, match=advice):
        load_part(build(), former[0])
    with pytest.raises(CheckpointError, match=advice):  # as MMEngine's runner does
        build().load_state_dict(former[1].state_dict(), strict=False)
