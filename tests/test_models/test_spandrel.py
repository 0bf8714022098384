"""Networks of spandrel as restorers: by name with arguments, or by a checkpoint that spandrel recognizes."""

import sys

import pytest
import torch
from mmengine.runner import Runner
from mmengine.runner.checkpoint import load_state_dict
from torch import nn

from sr4ir_mm.checkpoints import load_checkpoint
from sr4ir_mm.config import check_config
from sr4ir_mm.errors import CheckpointError, ConfigError
from sr4ir_mm.models import Spandrel
from sr4ir_mm.models.tiling import restore_in_tiles
from sr4ir_mm.registry import MODELS
from tests.conftest import SR4IR_PHASES, cascade_cfg, seg_batch
from tests.test_models.test_cascade import build, moved, snapshot

RCAN = dict(architecture='RCAN', scale=4, n_resgroups=1, n_resblocks=1, n_feats=16)
SWINIR = dict(
    architecture='SwinIR',
    upscale=4,
    embed_dim=8,
    depths=[2],
    num_heads=[2],
    window_size=8,
    mlp_ratio=2,
    upsampler='pixelshuffle',
)
SCUNET = dict(architecture='SCUNet', config=[1] * 7, dim=64)
DNCNN = dict(architecture='DnCNN', in_nc=3, out_nc=3, nc=8, nb=4)
SMALL = [
    RCAN,
    SWINIR,
    dict(
        architecture='HAT',
        upscale=4,
        embed_dim=12,
        depths=[2],
        num_heads=[2],
        window_size=4,
        compress_ratio=3,
        squeeze_factor=4,
        mlp_ratio=2,
        num_feat=8,
        upsampler='pixelshuffle',
    ),
    dict(
        architecture='DAT', upscale=4, embed_dim=16, split_size=[2, 4], depth=[2], num_heads=[2], expansion_factor=2.0
    ),
    dict(
        architecture='DRCT',
        upscale=4,
        embed_dim=12,
        depths=[6],
        num_heads=[2],
        window_size=4,
        gc=4,
        mlp_ratio=2,
        upsampler='pixelshuffle',
        resi_connection='1conv',
    ),
    DNCNN,
    SCUNET,
    dict(architecture='NAFNet', img_channel=3, width=8, middle_blk_num=1, enc_blk_nums=[1], dec_blk_nums=[1]),
    # with a map of noise levels, which spandrel makes
    dict(architecture='DRUNet', in_nc=4, out_nc=3, nc=[8, 8, 8, 8], nb=2),
]


def name_of(network):
    return network['architecture']


def cascade(network, **kwargs):
    scale = network.get('scale', network.get('upscale', 1))
    noise = dict(type='sr4ir_mm.GaussianNoise', sigma=25)
    return dict(
        dict(scale=scale, restorer=dict(network, type='sr4ir_mm.Spandrel')),
        **(dict(degradation=noise) if scale == 1 else {}),
        **kwargs,
    )


@pytest.mark.parametrize('network', SMALL, ids=name_of)
def test_an_iteration_of_sr4ir_and_a_prediction(network):
    model, optim = build(**cascade(network))
    before = snapshot(model)
    logs = model.train_step(seg_batch(), optim)
    assert {'loss_pixel', 'loss_tdp', 'loss_task_sr'} <= set(logs) and all(map(torch.isfinite, logs.values()))
    changed = moved(model, before)
    assert {name.split('.')[0] for name in changed} == {'restorer', 'recognizer'}
    learning = {f'restorer.{name}' for name, value in model.restorer.network.named_parameters() if value.requires_grad}
    assert len(changed & learning) > 0.2 * len(learning)  # NAFNet's blocks begin at zero, so most of it waits
    sample = model.eval().test_step(seg_batch((37, 50), batch=1))[0]
    assert sample.sr.shape == (3, 37, 50) and torch.isfinite(sample.sr).all()
    assert sample.lr.shape[-2:] == (-(-37 // model.scale), -(-50 // model.scale))
    assert sample.pred_sem_seg.shape == (37, 50)


@pytest.mark.parametrize('network', SMALL, ids=name_of)
def test_restores_as_spandrel_does(network):
    """Its descriptors pad, crop and clamp too, for one image and without gradients."""
    import spandrel

    restorer = Spandrel(**network).eval()
    twin = spandrel.MAIN_REGISTRY.load(dict(restorer.state_dict()))
    image = torch.rand(2, 3, 19, 30, requires_grad=True)
    kept = image.detach().clone()
    restored = restorer(image)
    size = twin.size_requirements.get_padding(30, 19)
    if size[0] < 30 and size[1] < 19:  # more than the image itself spandrel fills in another way
        expected = torch.cat([twin(one.clone()) for one in kept.split(1)])
        torch.testing.assert_close(restored.clamp(0, 1), expected.clone(), rtol=1e-4, atol=1e-5)
    assert restored.shape == (2, 3, 19 * restorer.scale, 30 * restorer.scale)
    assert torch.equal(image, kept)  # what RCAN would multiply in place
    restored.mean().backward()
    assert image.grad is not None


@pytest.mark.parametrize('network, multiple', [(RCAN, 1), (SWINIR, 8), (SMALL[3], 4), (SMALL[4], 16)])
def test_pieces_keep_the_windows(network, multiple):
    restorer = Spandrel(**network).eval()
    assert restorer.tile_multiple == multiple
    if network is SWINIR:  # which looks no farther than three windows
        image = torch.rand(1, 3, 48, 43)
        with torch.no_grad():
            pieces = restore_in_tiles(restorer, image, 4, tile=8, overlap=24, window=multiple)
            torch.testing.assert_close(pieces, restorer(image), rtol=1e-4, atol=1e-5)


def test_the_mean_color_of_rcan_stays():
    model, optim = build(**cascade(RCAN))
    fixed = {name for name, value in model.restorer.network.named_parameters() if not value.requires_grad}
    assert fixed == {'sub_mean.weight', 'sub_mean.bias', 'add_mean.weight', 'add_mean.bias'}
    before = snapshot(model)
    model.train_step(seg_batch(), optim)
    assert not moved(model, before) & {f'restorer.{name}' for name in fixed}


# ---------- checkpoints


def test_a_checkpoint_tells_the_network(tmp_path, monkeypatch):
    import spandrel

    monkeypatch.setattr(
        spandrel.ModelLoader, 'load_state_dict_from_file', lambda *args: pytest.fail('spandrel has read a file')
    )
    net = Spandrel(**SWINIR).network
    torch.save(dict(params_ema=net.state_dict()), tmp_path / '4x.pth')
    model = MODELS.build(cascade_cfg(restorer=dict(type='sr4ir_mm.Spandrel', checkpoint=str(tmp_path / '4x.pth'))))
    assert type(model.restorer.network) is type(net) and model.restorer.scale == 4
    model.init_weights()  # keeps what is loaded
    image = torch.rand(1, 3, 16, 24)
    torch.testing.assert_close(model.restorer.eval()(image), net.eval()(image), rtol=1e-4, atol=1e-5)


def test_the_weights_of_a_checkpoint_count_as_given(tmp_path):
    """A test of parts that were trained apart needs no further file for this one."""
    torch.save(Spandrel(**RCAN).state_dict(), tmp_path / '4x.pth')
    model = MODELS.build(
        cascade_cfg(
            recognizer=None,
            losses={},
            data_preprocessor=dict(type='SegDataPreProcessor'),
            restorer=dict(type='sr4ir_mm.Spandrel', checkpoint=str(tmp_path / '4x.pth')),
        )
    )
    model.load_pretrained()
    built = MODELS.build(
        cascade_cfg(
            recognizer=None,
            losses={},
            data_preprocessor=dict(type='SegDataPreProcessor'),
            restorer=dict(RCAN, type='sr4ir_mm.Spandrel'),
        )
    )
    with pytest.raises(ConfigError, match='model.restorer.init_cfg does not say where the weights come from'):
        built.load_pretrained()


def test_the_names_of_weights_are_those_of_the_network(voc_cfg, tmp_path):
    """Published weights fit, and a training writes what spandrel recognizes."""
    from spandrel.architectures.RCAN import RCAN as Network

    published = Network(**{name: value for name, value in RCAN.items() if name != 'architecture'})
    torch.save(published.state_dict(), tmp_path / 'RCAN_BIX4.pt')
    pretrained = dict(type='Pretrained', checkpoint=str(tmp_path / 'RCAN_BIX4.pt'))
    voc_cfg.model.restorer = dict(RCAN, type='sr4ir_mm.Spandrel', init_cfg=pretrained)
    voc_cfg.train_cfg.update(max_epochs=1, phases=[SR4IR_PHASES[1]])  # the restorer stays as it is
    voc_cfg.optim_wrapper = dict(voc_cfg.optim_wrapper, restorer=None)
    Runner.from_cfg(voc_cfg).train()
    path = f'{voc_cfg.work_dir}/epoch_1.pth'
    weights = load_checkpoint(path)['state_dict']
    ours = {name[len('restorer.') :]: value for name, value in weights.items() if name.startswith('restorer.')}
    assert list(ours) == list(published.state_dict())
    assert all(torch.equal(value, published.state_dict()[name]) for name, value in ours.items())
    again = Spandrel(checkpoint=path, prefix='restorer')
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in ours.items())
    with pytest.raises(CheckpointError, match="set prefix='restorer'"):
        Spandrel(checkpoint=path)
    for load in (
        lambda model: model.load_state_dict(weights),
        lambda model: load_state_dict(model, weights, strict=True),
    ):
        model = MODELS.build(voc_cfg.model)
        load(model)  # PyTorch's way and that of a runner that resumes
        assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())


def test_a_checkpoint_that_asks_for_more_than_tensors_is_refused(tmp_path):
    class Evil:
        def __reduce__(self):
            return (pytest.fail, ('code of a checkpoint ran',))

    torch.save(dict(state_dict=Spandrel(**RCAN).state_dict(), other=Evil()), tmp_path / 'evil.pth')
    with pytest.raises(CheckpointError, match='evil.pth asks for .* nothing of it was run'):
        Spandrel(checkpoint=str(tmp_path / 'evil.pth'))


def test_a_checkpoint_it_does_not_know(tmp_path, voc_cfg):
    torch.save(nn.Sequential(nn.Conv2d(3, 3, 1)).state_dict(), tmp_path / 'other.pth')
    with pytest.raises(
        CheckpointError,
        match=r"restorer.checkpoint is '.*other.pth', which spandrel does not recognize "
        r'.*it has for example 0.weight, 0.bias',
    ):
        Spandrel(checkpoint=str(tmp_path / 'other.pth'))
    weights = dict(Spandrel(**RCAN).state_dict())
    weights.pop('body.0.body.1.weight')  # recognized, but not whole
    torch.save(weights, tmp_path / 'part.pth')
    with pytest.raises(CheckpointError, match=r"part.pth', which spandrel does not recognize"):
        Spandrel(checkpoint=str(tmp_path / 'part.pth'))
    voc_cfg.model.restorer = dict(type='sr4ir_mm.Spandrel', checkpoint='nowhere.pth')
    with pytest.raises(ConfigError, match="model.restorer.checkpoint is 'nowhere.pth', which does not exist"):
        check_config(voc_cfg)


# ---------- mistakes


@pytest.mark.parametrize(
    'kwargs, message',
    [
        (dict(architecture='RCAM'), r"model.restorer.architecture is 'RCAM'; allowed: .*'DRCT', .*Did you mean 'RCAN'"),
        (dict(architecture='HAN'), "model.restorer.architecture is 'HAN'; allowed: "),
        (
            dict(RCAN, n_feat=16),
            r"an argument of model.restorer \(RCAN of spandrel\) is 'n_feat'; .*Did you mean 'n_feats'",
        ),
        (dict(RCAN, scale=5), r"cannot build or describe RCAN with the arguments \{'scale': 5.*NotImplementedError"),
        (dict(), 'needs either `architecture`, with its arguments, or `checkpoint`'),
        (
            dict(architecture='RCAN', checkpoint='4x.pth'),
            'needs either `architecture`, with its arguments, or `checkpoint`',
        ),
        (dict(checkpoint='4x.pth', scale=4), 'model.restorer.scale is set beside model.restorer.checkpoint'),
        (dict(RCAN, prefix='restorer'), 'model.restorer.prefix belongs to model.restorer.checkpoint'),
        (
            dict(DNCNN, in_nc=1, out_nc=1),
            r'\(DnCNN of spandrel\) takes images of 1 and returns images of 1 channels; '
            'allowed in a cascade: 3 and 3',
        ),
        (dict(architecture='LaMa'), r'\(LaMa of spandrel\) fills holes and needs a mask'),
    ],
)
def test_a_mistake_is_told(kwargs, message):
    with pytest.raises(ConfigError, match=message):
        Spandrel(**kwargs)


@pytest.mark.parametrize('network, factor', [(dict(RCAN, scale=2), 2), (DNCNN, 1)])
def test_a_scale_that_does_not_fit_is_told(network, factor):
    with pytest.raises(ConfigError, match=rf'model.restorer \(Spandrel\) enlarges by {factor}, but model.scale is 4'):
        MODELS.build(cascade_cfg(restorer=dict(network, type='sr4ir_mm.Spandrel')))


def test_without_spandrel_the_error_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, 'spandrel', None)
    with pytest.raises(ConfigError, match='needs the library spandrel; install it: pip install spandrel=='):
        Spandrel(**RCAN)
