"""SwinIR against mmagic's own."""

import copy

import pytest
import torch
from mmagic.models.editors.swinir.swinir_rstb import SwinTransformerBlock

from sr4ir_mm.registry import MODELS
from tests.conftest import SWINIR


def build(kind='sr4ir_mm.SwinIR'):
    return MODELS.build(dict(SWINIR, type=kind, _scope_=kind.split('.')[0]))


def ours_of(plain):
    """Our network with the weights and the mode of mmagic's."""
    network = build().train(plain.training)
    network.load_state_dict(plain.state_dict())
    return network


def test_the_same_seed_draws_the_same_weights():
    torch.manual_seed(0)
    plain = build('mmagic.SwinIRNet').state_dict()
    torch.manual_seed(0)
    ours = build().state_dict()
    assert list(ours) == list(plain) and all(torch.equal(value, plain[name]) for name, value in ours.items())


def test_attention_is_mmagics_with_a_mask_for_each_size(monkeypatch):
    """mmagic's own network against ours, at sizes that it was not built for; and a copy of it."""
    torch.manual_seed(0)
    plain = build('mmagic.SwinIRNet').eval()  # without stochastic depth
    shared = ours_of(plain)
    calls, original = [], SwinTransformerBlock.calculate_mask
    monkeypatch.setattr(
        SwinTransformerBlock, 'calculate_mask', lambda self, size: (calls.append(size), original(self, size))[1]
    )
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
    assert torch.equal(copy.deepcopy(shared)(lr), expected)


@pytest.mark.parametrize('size', [16, SWINIR['img_size']])
def test_behind_the_mask_are_zeros_and_no_denormal_numbers(size):
    """Which mmagic's -100 leaves there, and CPUs multiply slowly; gradients are mmagic's all the same."""
    torch.manual_seed(0)
    plain = build('mmagic.SwinIRNet').eval()
    quick = ours_of(plain)
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
    model = build()
    model(torch.rand(1, 3, 8, 8))
    assert not calls
    with torch.no_grad():
        model(torch.rand(1, 3, 8, 8))
    assert len(calls) == 4
