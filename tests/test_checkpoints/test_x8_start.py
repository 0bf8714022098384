"""Where the restorers for ×8 start: the trunk from weights for ×4, the upsampler and the last convolution anew."""

import pytest
import torch
from mmengine.config import Config, DictAction
from mmengine.registry import DefaultScope

from sr4ir_mm.checkpoints import save_checkpoint
from sr4ir_mm.config import load_config
from sr4ir_mm.registry import MODELS
from tests.helpers.builders import ROOT

FRESH = ('upsample.', 'conv_last.')
SMALL = dict(edsr=dict(num_blocks=1, mid_channels=8), swinir=dict(depths=[1], num_heads=[2], embed_dim=8))


def build(name, scale, **init_cfg):
    """A cascade with the shipped restorer, made small, that starts from a checkpoint, or from nowhere."""
    restoration = Config.fromfile(ROOT / f'configs/_base_/restorers/{name}_x{scale}.py').restoration
    restoration.restorer.update(SMALL[name])
    if init_cfg:
        restoration.restorer.init_cfg.update(init_cfg)
    else:
        restoration.restorer.init_cfg = None
    with DefaultScope.overwrite_default_scope('mmseg'):
        return MODELS.build(
            dict(
                restoration,
                type='sr4ir_mm.CascadeSegmentor',
                recognizer=None,
                data_preprocessor=dict(type='mmseg.SegDataPreProcessor'),
            )
        )


def weights(model):
    return {name: value.clone() for name, value in model.restorer.named_parameters()}


@pytest.fixture(params=['edsr', 'swinir'])
def name(request):
    return request.param


@pytest.fixture
def checkpoint(name, tmp_path):
    """Save random weights for a scale, as mmagic saves them."""

    def save(scale):
        torch.manual_seed(1)
        state = build(name, scale).restorer.state_dict()
        for value in state.values():
            if value.is_floating_point():  # what is zero at first would be equal without being loaded
                value += 0.1 * torch.randn_like(value)
        path = str(tmp_path / f'x{scale}.pth')
        save_checkpoint(dict(meta={}, state_dict={f'generator.{key}': value for key, value in state.items()}), path)
        return path, state

    return save


def test_the_trunk_comes_from_x4(name, checkpoint):
    path, x4 = checkpoint(4)
    found = []
    for seed in (2, 3):
        torch.manual_seed(seed)
        model = build(name, 8, checkpoint=path)
        model.init_weights()
        found.append(weights(model))
    loaded = {key for key, value in found[0].items() if key in x4 and torch.equal(value, x4[key])}
    fresh = {key for key in found[0] if key.startswith(FRESH)}
    assert loaded == set(found[0]) - fresh
    # three steps of ×2 and the last convolution, each with weight and bias, and neither from the file nor zero
    assert len(fresh) == 8
    for key in fresh:
        if key.endswith('weight'):
            assert found[0][key].std() > 0 and not torch.equal(found[0][key], found[1][key])
    assert model.restorer(torch.rand(1, 3, 16, 16)).shape == (1, 3, 128, 128)


def test_all_of_it_can_come_from_x8(name, checkpoint, with_protocol, tmp_path):
    """By the command in configs/sr4ir/README.md."""
    path, x8 = checkpoint(8)
    model = build(name, 8, checkpoint=path, reinit=[])
    model.init_weights()
    assert all(torch.equal(value, x8[key]) for key, value in weights(model).items())
    values = {
        f'model.restorer.init_cfg.{key}': DictAction._parse_iterable(value)
        for key, value in (('checkpoint', path), ('reinit', '[]'))
    }
    cfg = load_config(str(ROOT / f'configs/sr4ir/deeplabv3_{name}_x8_voc.py'), values)
    assert cfg.model.restorer.init_cfg == dict(type='Pretrained', checkpoint=path, prefix='generator', reinit=[])
    # what S→T takes from its run of SR is whole
    s2t = with_protocol(ROOT / f'configs/sr4ir/deeplabv3_{name}_x8_voc.py', 's2t').model.restorer.init_cfg
    assert s2t == dict(type='Pretrained', checkpoint=str(tmp_path / 'start.pth'), prefix='restorer')
