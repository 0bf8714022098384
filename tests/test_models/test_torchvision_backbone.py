import pytest
import torch
from torchvision.models import mobilenet_v3_large
from torchvision.ops import FrozenBatchNorm2d

from sr4ir_mm.errors import ConfigError
from sr4ir_mm.models.backbones.torchvision_backbone import TorchvisionBackbone

CFG = dict(arch='mobilenet_v3_large', out_indices=(13, 16), norm_frozen=True)


def detector_features(image):
    """What torchvision's detectors make of an image, with statistics for which eps matters; and the weights."""
    network = mobilenet_v3_large(weights=None, norm_layer=FrozenBatchNorm2d).double().eval()
    for norm in network.modules():
        if isinstance(norm, FrozenBatchNorm2d):
            norm.running_var.uniform_(1e-4, 1e-2)
            norm.weight.uniform_(0.05, 0.1)
    outs = []
    for index, stage in enumerate(network.features):
        image = stage(image)
        if index in CFG['out_indices']:
            outs.append(image)
    return outs, network.state_dict()


def features(image, state, **kwargs):
    backbone = TorchvisionBackbone(**CFG, **kwargs).double()
    backbone.load_state_dict(state, strict=False)  # without the classifier, and frozen norms count no batches
    return backbone.train()(image)


@torch.no_grad()
def test_norm_eps_of_torchvisions_frozen_norms_gives_their_features():
    image = torch.randn(2, 3, 64, 64, dtype=torch.double)
    wanted, state = detector_features(image)
    for found, expected in zip(features(image, state, norm_eps=1e-5), wanted):
        assert (found - expected).abs().max() <= 1e-10 * expected.abs().max()
    for found, expected in zip(features(image, state), wanted):  # 1e-3, that of the ImageNet weights
        assert (found - expected).abs().max() > 1e-2 * expected.abs().max()


def test_norm_eps_stays_as_the_architecture_has_it():
    norms = [module for module in TorchvisionBackbone(**CFG).modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert norms and {norm.eps for norm in norms} == {1e-3}


@pytest.mark.parametrize('value', [-1e-5, '1e-5', True])
def test_an_eps_that_is_none_is_refused(value):
    with pytest.raises(ConfigError, match=r'backbone.norm_eps is .*; allowed: None, or a number that is not negative'):
        TorchvisionBackbone(**CFG, norm_eps=value)
