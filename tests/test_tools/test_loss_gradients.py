"""tools/analysis/loss_gradients.py: its numbers are those of a plain PyTorch backward."""

import importlib.util

import pytest
import torch
from mmengine.config import Config

from sr4ir_mm.errors import ConfigError
from sr4ir_mm.registry import MODELS
from tests.conftest import ROOT, cascade_cfg, seg_batch

spec = importlib.util.spec_from_file_location('loss_gradients', ROOT / 'tools/analysis/loss_gradients.py')
tool = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tool)


@pytest.fixture
def model(float64):
    return MODELS.build(cascade_cfg()).train()


def test_gradients_are_those_of_a_plain_backward(model):
    found = tool.gradients(model, 'restorer', ['pixel', 'tdp'], seg_batch())
    hr = torch.stack(seg_batch()['inputs']).flip(1) / 255.0
    lr = model.degradation(hr)
    losses = dict(pixel=lambda sr: (sr - hr).abs().mean(), tdp=lambda sr: _feature_distance(model, sr, hr))
    for term, loss in losses.items():
        value = loss(model.restorer(lr))
        expected = torch.cat([each.flatten() for each in torch.autograd.grad(value, list(model.restorer.parameters()))])
        torch.testing.assert_close(found[term]['value'], value.detach())
        torch.testing.assert_close(found[term]['gradient'], expected, rtol=1e-9, atol=1e-12)


def _feature_distance(model, sr, hr):
    model.recognizer.eval()
    mean, std = (torch.tensor(values)[:, None, None] for values in ([123.675, 116.28, 103.53], [58.395, 57.12, 57.375]))
    features = [model.recognizer.backbone((255 * image - mean) / std)[-1] for image in (sr, hr)]
    return (features[0] - features[1].detach()).abs().mean()


def test_what_teaches_a_part(model):
    assert tool.teaching(model, 'restorer') == ['pixel', 'tdp', 'task_sr', 'task_cqmix']
    assert tool.teaching(model, 'recognizer') == ['task_sr', 'task_hr', 'task_cqmix']
    assert tool.teaching(MODELS.build(cascade_cfg(losses={})), 'restorer') == ['pixel', 'task_sr', 'task_cqmix']


def test_table_has_means_of_norms_and_cosines():
    def batch(first, second):
        return {
            term: dict(value=torch.tensor(value), gradient=torch.tensor(gradient))
            for term, value, gradient in (('pixel', 2.0, first), ('tdp', 4.0, second))
        }

    text = tool.table([batch([3.0, 4.0], [0.0, 1.0]), batch([1.0, 0.0], [0.0, 3.0])]).splitlines()
    assert text[0] == '| loss | value | norm of gradient | cosine with pixel | cosine with tdp |'
    # norms 5 and 1, 1 and 3; cosines 4/5 and 0
    assert text[2:] == ['| pixel | 2 | 3 | 1.00 | 0.40 |', '| tdp | 4 | 2 | 0.40 | 1.00 |']


def test_from_config_to_table(voc_cfg, tmp_path, capsys):
    path = tmp_path / 'config.py'
    Config(voc_cfg).dump(path)
    tool.main([str(path), '--batches', '1', '--losses', 'tdp', 'pixel'])
    assert [line.split(' | ')[0] for line in capsys.readouterr().out.splitlines()[2:]] == ['| tdp', '| pixel']
    with pytest.raises(ConfigError, match="--losses is 'task_hr'; allowed: .*'task_sr'"):
        tool.main([str(path), '--losses', 'task_hr'])
    with pytest.raises(ConfigError, match="--part is 'restore'"):
        tool.main([str(path), '--part', 'restore'])
    with pytest.raises(ConfigError, match='--batches is 0'):
        tool.main([str(path), '--batches', '0'])
