import copy

import pytest
import torch

from sr4ir_mm.engine import CascadeOptimWrapperConstructor
from sr4ir_mm.errors import ConfigError
from sr4ir_mm.models.efficiency import fold_batch_norm, gains_channels_last, quicken_window_attention, repeated_blocks
from sr4ir_mm.models.phases import build_phases
from sr4ir_mm.registry import MODELS
from tests.helpers.builders import OPTIM_WRAPPER, SR4IR_PHASES, SWINIR, cascade_cfg, edsr, seg_batch, segmentor

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
                restorer_with_cp=with_cp,
                data_preprocessor=dict(type='SegDataPreProcessor', size_divisor=1),
                tdp=None,
            )
        )
        network = model.restorer.train()
        found = [type(block).__name__ for block in repeated_blocks(network)]
        assert found == (blocks or found) and found
        leaf = next(
            module for block in repeated_blocks(network) for module in block.modules() if not list(module.children())
        )
        calls = []
        leaf.register_forward_hook(lambda *args: calls.append(1))
        model.restore(torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))).square().mean().backward()
        gradients.append({name: parameter.grad for name, parameter in network.named_parameters()})
        with torch.no_grad():
            model.restore(torch.rand(1, 3, 8, 8))
        runs.append(len(calls))
    assert gradients[0].keys() == gradients[1].keys()
    for name, gradient in gradients[0].items():
        assert torch.equal(gradients[1][name], gradient) if gradient is not None else gradients[1][name] is None
    assert runs[1] == runs[0] + runs[0] // 2


def swinir_cascade(**kwargs):
    return MODELS.build(cascade_cfg(restorer=dict(SWINIR, drop_path_rate=0.0), **kwargs))


def gradients_of_restoring(model, size=(12, 16)):
    model.zero_grad()
    sr = model.restore(torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0)))
    sr.square().mean().backward()
    return sr.detach(), [
        parameter.grad.clone() for parameter in model.restorer.parameters() if parameter.grad is not None
    ]


def test_attention_is_mmagics_with_a_mask_for_each_size(monkeypatch):
    """mmagic's own network against the quickened one, at sizes that it was not built for; and a copy of it."""
    torch.manual_seed(0)
    plain = MODELS.build(dict(SWINIR, _scope_='mmagic')).eval()  # without stochastic depth
    shared = copy.deepcopy(plain)
    quicken_window_attention(shared)
    block = type(shared.layers[0].residual_group.blocks[1])
    calls, original = [], block.calculate_mask
    monkeypatch.setattr(block, 'calculate_mask', lambda self, size: (calls.append(size), original(self, size))[1])
    for size in (12, 16), (8, 8), (16, 12), (12, 16):
        lr = torch.rand(2, 3, *size)
        expected = plain(lr)
        calls.clear()
        assert torch.equal(shared(lr), expected)
        assert len(calls) <= 1  # once for its first block whose windows are shifted
        with torch.no_grad():
            torch.testing.assert_close(shared(lr), expected)
    assert not calls
    assert shared.state_dict().keys() == plain.state_dict().keys()
    copied = copy.deepcopy(shared)
    assert copied.layers[0].residual_group.blocks[1].calculate_mask.args[0] is copied.layers[0].residual_group.blocks[1]


@pytest.mark.parametrize('size', [16, SWINIR['img_size']])
def test_behind_the_mask_are_zeros_and_no_denormal_numbers(size):
    """Which mmagic's -100 leaves there, and CPUs multiply slowly; gradients are mmagic's all the same."""
    torch.manual_seed(0)
    plain = MODELS.build(dict(SWINIR, _scope_='mmagic')).eval()
    quick = copy.deepcopy(plain)
    quicken_window_attention(quick)
    lr, gradients, denormals = torch.rand(1, 3, size, size), [], []
    for network in plain, quick:
        weights = []
        hook = (
            network.layers[0]
            .residual_group.blocks[1]
            .attn.softmax.register_forward_hook(lambda module, args, output: weights.append(output))
        )
        network(lr).square().mean().backward()
        hook.remove()
        denormals.append(bool(((weights[0] > 0) & (weights[0] < torch.finfo(torch.float32).tiny)).any()))
        gradients.append({name: weight.grad for name, weight in network.named_parameters()})
    assert denormals == [True, False]
    assert gradients[0].keys() == gradients[1].keys()
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient, rtol=1e-4, atol=1e-8, msg=name)


def test_where_there_are_no_gradients_pytorch_attends(monkeypatch):
    calls, original = [], torch.nn.functional.scaled_dot_product_attention
    monkeypatch.setattr(
        torch.nn.functional,
        'scaled_dot_product_attention',
        lambda *args, **kwargs: (calls.append(1), original(*args, **kwargs))[1],
    )
    for on in (True, False):
        model = swinir_cascade(efficient_attention=on)
        model.restore(torch.rand(1, 3, 8, 8))
        assert not calls
        with torch.no_grad():
            model.restore(torch.rand(1, 3, 8, 8))
        assert len(calls) == (4 if on else 0)
        calls.clear()


def test_no_accuracy_of_training_batches(monkeypatch):
    """The losses are those of mmseg's own segmentor; what nobody reads is calculated by no head; and off by a key."""
    torch.manual_seed(0)
    auxiliary = dict(segmentor()['decode_head'], loss_decode=dict(type='mmseg.CrossEntropyLoss', loss_weight=0.4))
    recognizer = dict(segmentor(), auxiliary_head=auxiliary)
    spared = MODELS.build(cascade_cfg(recognizer=recognizer)).recognizer.eval()
    plain = MODELS.build(dict(recognizer, _scope_='mmseg')).eval()
    plain.load_state_dict(spared.state_dict())
    image, samples = torch.rand(2, 3, 32, 32), seg_batch()['data_samples']
    expected = plain.loss(image, samples)
    monkeypatch.setattr(torch.Tensor, 'topk', None)
    losses = spared.loss(image, samples)
    assert losses.keys() == expected.keys()
    for name, loss in losses.items():
        assert loss.isnan().all() if name.endswith('acc_seg') else torch.equal(loss, expected[name])
    with pytest.raises(TypeError, match='not callable'):
        MODELS.build(cascade_cfg(efficient_heads=False)).recognizer.loss(image, samples)


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
        model = MODELS.build(cascade_cfg(channels_last=channels_last))
        model.init_weights()
        weights.append(model.state_dict())
        assert model.restorer.conv_first.weight.is_contiguous(memory_format=torch.channels_last) == bool(channels_last)
    assert all(torch.equal(weights[1][name], tensor) for name, tensor in weights[0].items())


def test_who_gains_channels_last():
    assert gains_channels_last(torch.nn.Sequential(torch.nn.Conv2d(8, 8, 3)))  # a restorer
    for backbone, gains in (
        (dict(type='mmpretrain.ResNet', depth=18, base_channels=8, stem_channels=8), True),
        (dict(type='sr4ir_mm.TorchvisionBackbone', arch='mobilenet_v3_small', out_indices=(12,)), True),
        (dict(type='mmpretrain.VGG', depth=11), False),
    ):
        recognizer = torch.nn.Module()
        recognizer.backbone = MODELS.build(backbone)
        assert gains_channels_last(recognizer) == gains
    with pytest.raises(
        ConfigError, match='a part in model.channels_last is .generator.; allowed: .restorer., .recognizer.'
    ):
        MODELS.build(cascade_cfg(channels_last=['generator']))


def test_batch_norms_in_eval_mode_are_folded(float64):
    """An iteration is the plain one but for rounding; in phase 1, and with frozen statistics, no batch norm runs."""
    losses, weights, runs = [], [], []
    for fold in (False, True):
        torch.manual_seed(0)
        model = MODELS.build(cascade_cfg(efficient_conv_bn_eval=fold))
        model.init_weights()
        norms = [module for module in model.recognizer.backbone.modules() if isinstance(module, torch.nn.BatchNorm2d)]
        calls = []
        norms[0].register_forward_hook(lambda *_: calls.append(1))
        model.phases = build_phases(SR4IR_PHASES, model.terms, list(model.trainable_parts))
        optim = CascadeOptimWrapperConstructor(OPTIM_WRAPPER)(model)
        losses.append({name: float(value) for name, value in model.train_step(seg_batch(), optim).items()})
        weights.append(model.state_dict())
        runs.append(len(calls))
    assert losses[1] == pytest.approx(losses[0], rel=1e-9)
    for name, weight in weights[0].items():
        torch.testing.assert_close(weights[1][name], weight, rtol=1e-9, atol=1e-9)
    assert runs == [5, 3]


def test_a_backbone_that_cannot_be_traced():
    class Branching(torch.nn.Module):
        def forward(self, image):
            return image if image.sum() > 0 else -image

    with pytest.raises(ConfigError, match='Branching cannot be traced .TraceError.*set it to False'):
        fold_batch_norm(Branching())


def test_compiled_recognizer_and_a_part_that_is_not_there(float64):
    plain, fast = cascade_cfg(), cascade_cfg(compile=dict(recognizer=dict(backend='eager')))
    torch.manual_seed(0)
    plain = MODELS.build(plain).eval()
    fast = MODELS.build(fast).eval()
    fast.load_state_dict(plain.state_dict())
    image = torch.rand(1, 3, 32, 32)
    for one, other in zip(plain.recognizer.extract_feat(image), fast.recognizer.extract_feat(image)):
        torch.testing.assert_close(other, one, rtol=1e-9, atol=1e-9)
    with pytest.raises(ConfigError, match=r"a part in model\.compile is 'generator'"):
        MODELS.build(cascade_cfg(compile=dict(generator=dict())))


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
