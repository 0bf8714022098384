"""Batch norm's statistics, estimated again: against plain means and variances of what goes into each layer."""

import copy

import pytest
import torch
from mmengine.config import Config, ConfigDict
from torch import nn

from sr4ir_mm.checkpoints import load_checkpoint
from sr4ir_mm.engine import ReestimateBatchNormHook, apply_efficiency, reestimate_batch_norm
from sr4ir_mm.errors import ConfigError
from sr4ir_mm.experiments.protocols import apply_protocol
from sr4ir_mm.registry import MODELS
from tests.helpers.builders import cascade_cfg, seg_batch, segmentor
from tests.helpers.one_iteration import det_batch
from tests.helpers.processes import run_processes
from tests.test_models.test_detector import detector, faster_rcnn

LAYERS = nn.modules.batchnorm._BatchNorm


def build(fold=False, **kwargs):
    torch.manual_seed(0)
    model = MODELS.build(cascade_cfg(**kwargs))
    model.init_weights()
    apply_efficiency(model, conv_bn_eval=fold)
    return model.train()


def batches(count=3):
    return [seg_batch(seed=index) for index in range(count)]


def layers(model):
    return {name: module for name, module in model.recognizer.named_modules() if isinstance(module, LAYERS)}


def plain_statistics(model, data):
    """Mean and unbiased variance of what enters each layer, in float64, averaged over the batches."""
    model = copy.deepcopy(model).eval()
    for norm in layers(model).values():
        norm.train()
    found = {name: [] for name in layers(model)}

    def note(name):
        return lambda module, args: found[name].append(args[0].double().transpose(0, 1).flatten(1))

    for name, norm in layers(model).items():
        norm.register_forward_pre_hook(note(name))
    mean, std = (
        torch.tensor(values).view(3, 1, 1) / 255 for values in ([123.675, 116.28, 103.53], [58.395, 57.12, 57.375])
    )
    with torch.no_grad():
        for batch in data:
            hr = torch.stack(batch['inputs']).flip(1).float() / 255
            sr = model.restorer(model.degradation(hr))
            model.recognizer.encode_decode((sr - mean) / std, [sample.metainfo for sample in batch['data_samples']])
    return {
        name: (
            torch.stack([value.mean(1) for value in values]).mean(0),
            torch.stack([value.var(1, unbiased=True) for value in values]).mean(0),
        )
        for name, values in found.items()
        if values
    }


@pytest.mark.parametrize('folded', [False, True])
def test_statistics_are_those_of_restored_images(folded):
    model = build(folded)
    wanted = plain_statistics(build(), batches())
    before = copy.deepcopy(model.state_dict())
    model.recognizer.backbone.layer1.eval()  # as some user left it
    modes = [module.training for module in model.modules()]
    changed = reestimate_batch_norm(model, batches())
    assert set(map(id, changed)) == set(map(id, layers(model).values())) and wanted.keys() == layers(model).keys()
    for name, norm in layers(model).items():
        for found, expected in zip((norm.running_mean, norm.running_var), wanted[name]):
            assert (found - expected).abs().max() <= 1e-4 * expected.abs().max(), name
        assert norm.momentum == 0.1
    # nothing else has changed
    moved = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert moved == {f'recognizer.{name}.running_{kind}' for name in wanted for kind in ('mean', 'var')}
    assert modes == [module.training for module in model.modules()]
    # and again: the same
    after = copy.deepcopy(model.state_dict())
    reestimate_batch_norm(model, batches())
    assert all(torch.equal(value, after[name]) for name, value in model.state_dict().items())


def test_a_prediction_is_of_the_new_statistics():
    """On the batch that they come from, a network in eval mode is one whose batch norms are in train mode."""
    model, data = build(fold=True), seg_batch((128, 128), batch=4)
    reestimate_batch_norm(model, [data])
    inputs = model.eval().data_preprocessor(data, False)
    with torch.no_grad():
        found = model(**inputs, mode='tensor')
        for norm in layers(model).values():
            norm.train()
        expected = model(**inputs, mode='tensor')
    # the variance of a batch divides by n, the running one by n - 1; n is 4·16·16 pixels in the smallest map
    assert (found - expected).abs().max() < 0.01 * expected.abs().max()


def test_what_is_frozen_or_not_predicted_with_keeps_its_statistics():
    recognizer = segmentor(frozen_stages=1)
    recognizer['auxiliary_head'] = dict(recognizer['decode_head'], in_index=2, in_channels=32)
    model = build(recognizer=recognizer)
    before = copy.deepcopy(model.state_dict())
    reestimate_batch_norm(model, batches(1))
    moved = {
        name.split('.')[1:3][-1] if 'backbone' in name else name.split('.')[1]
        for name, value in model.state_dict().items()
        if not torch.equal(value, before[name])
    }
    assert moved == {'layer2', 'layer3', 'layer4', 'decode_head'}


def test_a_detectors_frozen_norms_keep_their_statistics():
    recognizer = faster_rcnn()
    recognizer.backbone.norm_frozen = False  # as the first stages are frozen, these norms are too
    model, data = detector(recognizer=recognizer, task=dict(input_scale=(160, 96))), det_batch(((50, 64), (64, 41)))
    before = copy.deepcopy(model.state_dict())
    reestimate_batch_norm(model, [data])
    moved = {
        int(name.split('.')[3]) for name, value in model.state_dict().items() if not torch.equal(value, before[name])
    }
    assert moved == set(range(7, 17))  # stages of the backbone; nothing else has batch norm
    with pytest.raises(ConfigError, match='as those of Faster R-CNN here'):
        reestimate_batch_norm(detector(), [data])


def test_nothing_to_estimate_is_told():
    for model in (
        build(recognizer=segmentor('GN')),
        build(recognizer=None, losses={}, data_preprocessor=dict(type='SegDataPreProcessor', size_divisor=1)),
    ):
        with pytest.raises(ConfigError, match='Batch norm cannot be re-estimated: the recognizer has no layer'):
            reestimate_batch_norm(model, batches(1))
    with pytest.raises(ConfigError, match='or there was no batch'):
        reestimate_batch_norm(build(), [])
    with pytest.raises(
        ConfigError, match='num_batches is 0; allowed: None, which means all of an epoch, or a whole number'
    ):
        ReestimateBatchNormHook(dict(), num_batches=0)


def one_process():
    model = build()
    reestimate_batch_norm(model, batches(4)[torch.distributed.get_rank() :: 2])
    return {name: value for name, value in model.state_dict().items() if 'running' in name}


def test_processes_take_the_mean_of_their_statistics():
    model = build()
    reestimate_batch_norm(model, batches(4))
    expected = model.state_dict()
    for found in run_processes(2, one_process):
        assert all(torch.allclose(value, expected[name], rtol=1e-5, atol=1e-6) for name, value in found.items())


@pytest.fixture
def test_tool(tool, config_file, tmp_path):
    model = build()
    path = tmp_path / 'model.pth'
    torch.save(dict(state_dict=model.state_dict(), meta=dict(dataset_meta=dict(classes=tuple('abcd')))), path)
    return lambda *args, checkpoint=path: tool('test').main([config_file, str(checkpoint), *args]), path


def test_the_command_is_repeatable_and_leaves_the_checkpoint(test_tool, tmp_path):
    test, path = test_tool
    content = path.read_bytes()
    plain, new = test(), test('--reestimate-bn', '--save-reestimated', str(tmp_path / 'new.pth'))
    assert new == test('--reestimate-bn') != plain
    assert path.read_bytes() == content
    assert test(checkpoint=tmp_path / 'new.pth') == new
    assert test('--reestimate-bn', '1') != new  # one of two batches
    saved = load_checkpoint(tmp_path / 'new.pth')
    assert saved['meta']['dataset_meta']['classes'] == tuple('abcd')


@pytest.mark.parametrize(
    'args, message',
    [
        (
            ['--reestimate-bn', '0'],
            "--reestimate-bn is '0'; allowed: a whole number of batches from 1, or no number",
        ),
        (['--reestimate-bn', 'many'], "--reestimate-bn is 'many'"),
        (['--save-reestimated', 'x.pth'], '--save-reestimated is given, but --reestimate-bn is not'),
        (['--reestimate-bn', '--cfg-options', 'train_dataloader=None'], 'but the config has no train_dataloader'),
        (
            ['--reestimate-bn', '--cfg-options', 'train_dataloader.dataset.data_root=nowhere'],
            "train_dataloader.dataset.data_root is 'nowhere', which does not exist",
        ),
    ],
)
def test_a_mistake_of_the_command_is_told(test_tool, args, message):
    with pytest.raises(ConfigError, match=message):
        test_tool[0](*args)


def test_a_row_of_a_study_tests_a_run_with_new_statistics(voc_cfg, test_tool, tool, tmp_path):
    row = ConfigDict(phases=[], start=dict(restorer='sr4ir', recognizer='sr4ir'), reestimate_bn=True)
    loader = copy.deepcopy(voc_cfg.train_dataloader)
    cfg = apply_protocol(voc_cfg, row, dict(restorer='r.pth', recognizer='t.pth'))
    assert cfg.train_dataloader is None and cfg.train_cfg is None
    assert cfg.custom_hooks == [dict(type='sr4ir_mm.ReestimateBatchNormHook', dataloader=loader)]
    with pytest.raises(ConfigError, match=r'`reestimate_bn` and `phases`; allowed: `phases=\[\]`'):
        apply_protocol(voc_cfg, ConfigDict(row, phases=voc_cfg.train_cfg.phases), {})
    # and its test is the command's
    test, path = test_tool
    cfg = apply_protocol(Config(voc_cfg), row, dict.fromkeys(('restorer', 'recognizer'), str(path)))
    cfg.dump(str(tmp_path / 'row.py'))
    assert tool('test').main([str(tmp_path / 'row.py')]) == test('--reestimate-bn')
