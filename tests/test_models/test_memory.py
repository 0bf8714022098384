import pytest
import torch
from sr4ir_mm.models.memory import repeated_blocks
from sr4ir_mm.registry import MODELS

from tests.conftest import cascade_cfg, edsr, seg_batch

SWINIR = dict(type='mmagic.SwinIRNet', upscale=4, in_chans=3, img_size=8, window_size=4, depths=[2, 2], embed_dim=8,
              num_heads=[2, 2], mlp_ratio=2, upsampler='pixelshuffledirect', resi_connection='1conv')
NAFNET = dict(type='mmagic.NAFNet', mid_channels=4, enc_blk_nums=[1, 1], dec_blk_nums=[1, 1], middle_blk_num=2)


@pytest.mark.parametrize('restorer, scale, blocks', [
    (dict(edsr(), num_blocks=3), 4, ['ResidualBlockNoBN'] * 3 + ['PixelShufflePack'] * 2),
    (SWINIR, 4, ['RSTB'] * 2),
    (NAFNET, 1, None),
])
def test_checkpointed_activations_give_the_same_gradients(restorer, scale, blocks):
    """Each block runs once more, in the backward; the gradients are those of the plain network."""
    gradients, runs = [], []
    for with_cp in (False, True):
        torch.manual_seed(0)
        model = MODELS.build(
            cascade_cfg(scale=scale, restorer=restorer, degradation=None, recognizer=None, restorer_with_cp=with_cp,
                        data_preprocessor=dict(type='SegDataPreProcessor', size_divisor=1), tdp=None))
        network = model.restorer.train()
        found = [type(block).__name__ for block in repeated_blocks(network)]
        assert found == (blocks or found) and found
        leaf = next(module for block in repeated_blocks(network) for module in block.modules() if not list(module.children()))
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


def test_losses_get_float32():
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
