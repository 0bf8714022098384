"""The config of each protocol, made from that of a method."""

import pytest
from mmengine.config import Config

from sr4ir_mm.errors import ConfigError
from sr4ir_mm.experiments.protocols import apply_protocol, in_order, load_protocols
from sr4ir_mm.experiments.study import PROTOCOLS
from tests.helpers.builders import ROOT

from .conftest import DEMO, DENOISE


@pytest.fixture
def demo():
    return Config.fromfile(DEMO)


@pytest.fixture
def protocols(demo):
    return load_protocols(PROTOCOLS, demo)


def test_order(protocols):
    assert in_order(['s2t', 'l2t', 'sr'], protocols) == ['sr', 's2t', 'l2t']
    assert in_order(['t2s', 'sr4ir', 'h2t'], protocols) == ['h2t', 't2s', 'sr4ir']
    with pytest.raises(ConfigError, match="--protocols is 'sr4r'; allowed: 'h2t', .* Did you mean 'sr4ir'"):
        in_order(['sr4r'], protocols)


@pytest.mark.parametrize('name', ['h2t', 'l2t', 'sr', 's+t', 'sr4ir'])
def test_protocols_without_contrastive_learning_drop_its_network(name, demo, protocols):
    cfg = Config.fromfile(ROOT / 'configs/demo/sr4ir-pcl_fpn_edsr_x4_demo.py')
    made = apply_protocol(cfg, load_protocols(PROTOCOLS, cfg)[name], {})
    if name == 'sr4ir':  # what the config itself does
        assert made.model.parts.embedding and made.optim_wrapper.embedding
        return
    plain = apply_protocol(demo, protocols[name], {})
    assert made.model.to_dict() == plain.model.to_dict()
    assert made.optim_wrapper.to_dict() == plain.optim_wrapper.to_dict()


def test_a_protocol_without_recognizer_needs_a_metric_of_images(demo, protocols):
    demo.val_evaluator = dict(type='IoUMetric')
    with pytest.raises(ConfigError, match=r'val_evaluator has no metric of restored images.*sr4ir_mm\.PSNR'):
        apply_protocol(demo, protocols['sr'], {})


def test_lambda_zero_keeps_the_recognizer_for_its_test():
    cfg = Config.fromfile(DENOISE[0])
    made = apply_protocol(cfg, load_protocols(PROTOCOLS, cfg)['lambda0'], dict(restorer='a.pth'))
    assert made.model.recognizer is not None
    assert made.train_cfg.phases[0].losses == dict(pixel=1.0, task_sr=0.0)
