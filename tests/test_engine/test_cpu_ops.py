import copy

import pytest
import torch
from mmcv.ops import RoIAlign
from torch import nn

from sr4ir_mm.engine import apply_efficiency
from sr4ir_mm.engine.cpu_ops import DepthwiseConv2d, use_fast_cpu_ops
from sr4ir_mm.registry import MODELS
from tests.conftest import cascade_cfg


def quickened(layer):
    """A copy of a layer, with what is fast on a CPU."""
    network = nn.ModuleList([copy.deepcopy(layer)])
    use_fast_cpu_ops(network)
    return network[0]


def run(layer, *inputs):
    """The output for these inputs, and the gradients of its weighted sum for the first of them and the parameters."""
    first = inputs[0].detach().clone(memory_format=torch.preserve_format).requires_grad_()
    output = layer(first, *inputs[1:])
    weights = torch.randn(output.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64).to(output)
    gradients = torch.autograd.grad((output * weights).sum(), [first, *layer.parameters()])
    return [output.detach(), *gradients]


@pytest.mark.parametrize('memory_format', [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize('size', [(9, 12), (8, 8), (11, 7)])
@pytest.mark.parametrize(
    'settings',
    [
        dict(kernel_size=3, padding=1),
        dict(kernel_size=5, stride=2, padding=2, bias=False),
        dict(kernel_size=3, stride=(2, 1), padding=(0, 1), dilation=(1, 2)),
        dict(kernel_size=5, padding=4, dilation=2, bias=False),
        dict(kernel_size=2, stride=3, padding=1),
        dict(kernel_size=1),
    ],
    ids=str,
)
def test_depthwise_convolutions_are_those_of_pytorch(settings, size, memory_format):
    torch.manual_seed(0)
    plain = nn.Conv2d(6, 6, groups=6, dtype=torch.float64, **settings)
    quick = quickened(plain)
    image = torch.randn(3, 6, *size, dtype=torch.float64).contiguous(memory_format=memory_format)
    assert isinstance(quick, DepthwiseConv2d)
    for one, other in zip(run(plain, image), run(quick, image)):
        torch.testing.assert_close(other, one)


def test_what_is_frozen_gets_no_gradient():
    quick = quickened(nn.Conv2d(4, 4, 3, groups=4))
    quick.requires_grad_(False)
    image = torch.rand(1, 4, 5, 5, requires_grad=True)
    quick(image).sum().backward()
    assert image.grad is not None and quick.weight.grad is quick.bias.grad is None
    quick.requires_grad_(True)
    quick(image.detach()).sum().backward()
    assert quick.weight.grad is not None


def test_depthwise_convolutions_under_autocast(bfloat16):
    """The output is bfloat16, the gradients have the type of what they belong to."""
    torch.manual_seed(0)
    plain = nn.Conv2d(4, 4, 3, padding=1, groups=4)
    quick = quickened(plain)
    results = []
    for layer in plain, quick:
        image = torch.rand(2, 4, 8, 8, generator=torch.Generator().manual_seed(0), requires_grad=True)
        with torch.autocast('cpu', torch.bfloat16):
            output = layer(image)
        output.float().square().sum().backward()
        results.append([output, image.grad, layer.weight.grad, layer.bias.grad])
    for one, other in zip(*results):
        assert one.dtype == other.dtype
        torch.testing.assert_close(other, one, rtol=2e-2, atol=2e-2)


@pytest.mark.parametrize(
    'layer',
    [
        nn.Conv2d(4, 4, 3),
        nn.Conv2d(4, 8, 3, groups=4),
        nn.Conv2d(4, 4, 3, groups=2),
        nn.Conv2d(4, 4, 1, padding=1, groups=4),
        nn.Conv2d(4, 4, 3, padding=1, padding_mode='reflect', groups=4),
        nn.Conv2d(4, 4, 3, padding='same', groups=4),
        RoIAlign(7, sampling_ratio=2, pool_mode='max'),
    ],
    ids=str,
)
def test_others_are_left_alone(layer):
    network, before = nn.ModuleList([layer]), dict(vars(layer))
    use_fast_cpu_ops(network)
    assert network[0] is layer and vars(layer) == before


@pytest.mark.parametrize('aligned', [False, True])
@pytest.mark.parametrize('size, sampling_ratio', [((7, 7), 2), ((3, 5), 1), ((2, 2), 4)])
def test_roi_align_is_mmcvs(size, sampling_ratio, aligned):
    """Regions of two images, some of them beyond its border, some less than a pixel."""
    torch.manual_seed(0)
    plain = RoIAlign(size, 1 / 8, sampling_ratio, aligned=aligned)
    quick = quickened(plain)
    corners = torch.rand(40, 2) * 120 - 20
    rois = torch.cat([torch.randint(0, 2, (40, 1)), corners, corners + torch.rand(40, 2) * 80], 1)
    rois[:4, 3:] = rois[:4, 1:3] + 2
    features = torch.randn(2, 5, 9, 13)
    for one, other in zip(run(plain, features, rois), run(quick, features, rois)):
        torch.testing.assert_close(other, one, rtol=1e-4, atol=1e-5)
    assert quick(features, rois[:0]).shape == (0, 5, *size)


@pytest.mark.parametrize('cpu_ops', [True, False])
def test_the_key(cpu_ops):
    cfg = cascade_cfg()
    cfg['recognizer']['backbone'] = dict(type='MobileNetV2', out_indices=(6,))
    model = MODELS.build(cfg)
    plain = copy.deepcopy(model)
    apply_efficiency(model, cpu_ops=cpu_ops)
    depthwise = [
        module
        for module in model.recognizer.modules()
        if isinstance(module, nn.Conv2d) and module.groups == module.in_channels > 1
    ]
    assert depthwise and all(isinstance(module, DepthwiseConv2d) == cpu_ops for module in depthwise)
    assert copy.deepcopy(model).state_dict().keys() == plain.state_dict().keys()
