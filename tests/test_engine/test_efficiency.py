import copy

import pytest
import torch

from sr4ir_mm.engine import CascadeOptimWrapperConstructor, apply_efficiency
from sr4ir_mm.engine.cpu_ops import DepthwiseConv2d
from sr4ir_mm.engine.efficiency import _fold_batch_norm, _gains_channels_last, _repeated_blocks
from sr4ir_mm.errors import ConfigError
from sr4ir_mm.models.phases import build_phases
from sr4ir_mm.registry import MODELS
from tests.helpers.builders import OPTIM_WRAPPER, SR4IR_PHASES, SWINIR, cascade_cfg, edsr, seg_batch

NAFNET = dict(type='mmagic.NAFNet', mid_channels=4, enc_blk_nums=[1, 1], dec_blk_nums=[1, 1], middle_blk_num=2)


@pytest.mark.parametrize(
    'restorer, scale, blocks',
    [
        (dict(edsr(), num_blocks=3), 4, ['ResidualBlockNoBN'] * 3 + ['PixelShufflePack'] * 2),
        (SWINIR, 4, ['RSTB'] * 2),
        (NAFNET, 1, None),
    ],
)
def test_checkpointed_activations_give_the_same_gradients(restorer, scale, blocks):
    """Each block runs once more, in the backward; the gradients are those of the plain network."""
    gradients, runs = [], []
    for with_cp in (False, True):
        torch.manual_seed(0)
        model = MODELS.build(
            cascade_cfg(
                scale=scale,
                restorer=restorer,
                degradation=None,
                recognizer=None,
                data_preprocessor=dict(type='SegDataPreProcessor', size_divisor=1),
                losses={},
            )
        )
        network = model.restorer.train()
        blocks_found = list(_repeated_blocks(network))
        apply_efficiency(model, [], activation_checkpointing=['restorer'] if with_cp else [])
        found = [type(block).__name__ for block in blocks_found]
        assert found == (blocks or found) and found
        leaf = next(module for block in blocks_found for module in block.modules() if not list(module.children()))
        calls = []
        leaf.register_forward_hook(lambda *args: calls.append(1))
        model.restoration(torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))).square().mean().backward()
        gradients.append({name: value.grad for name, value in network.state_dict(keep_vars=True).items()})
        with torch.no_grad():
            model.restoration(torch.rand(1, 3, 8, 8))
        runs.append(len(calls))
    assert gradients[0].keys() == gradients[1].keys()
    for name, gradient in gradients[0].items():
        assert torch.equal(gradients[1][name], gradient) if gradient is not None else gradients[1][name] is None
    assert runs[1] == runs[0] + runs[0] // 2


def swinir_cascade(**efficiency):
    model = MODELS.build(cascade_cfg(restorer=dict(SWINIR, drop_path_rate=0.0)))
    apply_efficiency(model, **efficiency)
    return model


def gradients_of_restoring(model, size=(12, 16)):
    model.zero_grad()
    sr = model.restoration(torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0)))
    sr.square().mean().backward()
    return sr.detach(), [
        parameter.grad.clone() for parameter in model.restorer.parameters() if parameter.grad is not None
    ]


@pytest.mark.parametrize(
    'change', [dict(channels_last=['restorer']), dict(compile=dict(restorer=dict(backend='eager')))]
)
def test_the_fast_ways_agree_with_the_plain_one(change, float64):
    torch.manual_seed(0)
    plain = swinir_cascade(channels_last=[])
    fast = swinir_cascade(**change)
    fast.load_state_dict(plain.state_dict())
    for one, other in zip(*map(gradients_of_restoring, (plain, fast))):
        torch.testing.assert_close(other, one, rtol=1e-9, atol=1e-9)
    assert copy.deepcopy(fast).state_dict().keys() == plain.state_dict().keys()


def test_channels_last_draws_the_same_weights():
    weights = []
    for channels_last in ([], ['restorer', 'recognizer']):
        torch.manual_seed(0)
        model = MODELS.build(cascade_cfg())
        model.init_weights()
        apply_efficiency(model, channels_last)
        weights.append(model.state_dict())
        assert model.restorer.conv_first.weight.is_contiguous(memory_format=torch.channels_last) == bool(channels_last)
    assert all(torch.equal(weights[1][name], tensor) for name, tensor in weights[0].items())


def test_who_gains_channels_last():
    assert _gains_channels_last(torch.nn.Sequential(torch.nn.Conv2d(8, 8, 3)))  # a restorer
    for backbone, gains in (
        (dict(type='mmpretrain.ResNet', depth=18, base_channels=8, stem_channels=8), True),
        (dict(type='sr4ir_mm.TorchvisionBackbone', arch='mobilenet_v3_small', out_indices=(12,)), True),
        (dict(type='mmpretrain.VGG', depth=11), False),
    ):
        recognizer = torch.nn.Module()
        recognizer.backbone = MODELS.build(backbone)
        assert _gains_channels_last(recognizer) == gains
    with pytest.raises(
        ConfigError, match='a part in efficiency.channels_last is .generator.; allowed: .restorer., .recognizer.'
    ):
        apply_efficiency(MODELS.build(cascade_cfg()), ['generator'])


def test_batch_norms_in_eval_mode_are_folded(float64):
    """An iteration is the plain one but for rounding; in phase 1, and with frozen statistics, no batch norm runs."""
    losses, weights, runs = [], [], []
    for fold in (False, True):
        torch.manual_seed(0)
        model = MODELS.build(cascade_cfg())
        model.init_weights()
        apply_efficiency(model, conv_bn_eval=fold)
        norms = [module for module in model.recognizer.backbone.modules() if isinstance(module, torch.nn.BatchNorm2d)]
        calls = []
        norms[0].register_forward_hook(lambda *_: calls.append(1))
        model.phases = build_phases(SR4IR_PHASES, model)
        optim = CascadeOptimWrapperConstructor(OPTIM_WRAPPER)(model)
        losses.append({name: float(value) for name, value in model.train_step(seg_batch(), optim).items()})
        weights.append(model.state_dict())
        runs.append(len(calls))
    assert losses[1] == pytest.approx(losses[0], rel=1e-9)
    for name, weight in weights[0].items():
        torch.testing.assert_close(weights[1][name], weight, rtol=1e-9, atol=1e-9)
    assert runs == [5, 3]


def test_folding_goes_together_with_fast_operations(float64):
    """A training step of a MobileNet with both agrees with the plain one, and both are in use."""
    losses = []
    for fast in (False, True):
        torch.manual_seed(0)
        cfg = cascade_cfg()
        cfg.recognizer.backbone = dict(type='MobileNetV2', out_indices=(5, 6), norm_eval=True, widen_factor=0.25)
        cfg.recognizer.decode_head.update(in_channels=80, in_index=1)
        model = MODELS.build(cfg)
        model.init_weights()
        apply_efficiency(model, [], conv_bn_eval=fast, cpu_ops=fast)
        calls = []
        for module in model.recognizer.backbone.modules():
            if isinstance(module, DepthwiseConv2d):
                original = module._conv_forward
                module._conv_forward = lambda *args, original=original: (calls.append(1), original(*args))[1]
        model.phases = build_phases(SR4IR_PHASES, model)
        optim = CascadeOptimWrapperConstructor(OPTIM_WRAPPER)(model)
        losses.append({name: float(value) for name, value in model.train_step(seg_batch(), optim).items()})
        assert bool(calls) == fast
    assert losses[1] == pytest.approx(losses[0], rel=1e-9)


def test_a_backbone_that_cannot_be_traced():
    class Branching(torch.nn.Module):
        def forward(self, image):
            return image if image.sum() > 0 else -image

    with pytest.raises(ConfigError, match='Branching cannot be traced .TraceError.*set it to False'):
        _fold_batch_norm(Branching())


def test_compiled_recognizer_and_a_part_that_is_not_there(float64):
    torch.manual_seed(0)
    plain, fast = (MODELS.build(cascade_cfg()).eval() for _ in range(2))
    fast.load_state_dict(plain.state_dict())
    apply_efficiency(fast, [], compile=dict(recognizer=dict(backend='eager')))
    image = torch.rand(1, 3, 32, 32)
    for one, other in zip(plain.recognizer.extract_feat(image), fast.recognizer.extract_feat(image)):
        torch.testing.assert_close(other, one, rtol=1e-9, atol=1e-9)
    with pytest.raises(ConfigError, match=r"a part in efficiency\.compile is 'generator'"):
        apply_efficiency(plain, compile=dict(generator=dict()))


def test_losses_get_float32(bfloat16):
    """In bfloat16, where a softmax would have three digits."""
    model = MODELS.build(cascade_cfg())
    seen = []
    loss = model.recognizer.decode_head.loss_decode
    original = loss.forward
    loss.forward = lambda score, *args, **kwargs: (seen.append(score.dtype), original(score, *args, **kwargs))[1]
    data = model.data_preprocessor(seg_batch(), True)
    with torch.autocast('cpu', torch.bfloat16):
        losses = model(**data, mode='loss')
    assert seen == [torch.float32]
    assert losses['decode.loss_ce'].dtype == torch.float32
