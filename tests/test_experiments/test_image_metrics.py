"""Everything that tells image metrics from task metrics asks one table."""

import pytest
from mmengine.config import Config, ConfigDict

from sr4ir_mm import evaluation
from sr4ir_mm.errors import ConfigError
from sr4ir_mm.evaluation.metric import RestorationMetric
from sr4ir_mm.experiments.image_metrics import IMAGE_METRICS, ImageMetric, is_image_metric
from sr4ir_mm.experiments.protocols import apply_protocol
from sr4ir_mm.experiments.tables import main_metric, markdown, summarize
from sr4ir_mm.experiments.test_report import test_table as table_of_a_test
from tests.helpers.builders import ROOT

SR = ConfigDict(title='SR', phases=[dict(name='restore', update='restorer', losses=dict(pixel=1.0))])


def test_the_table_has_the_image_metrics_of_the_package_and_no_other():
    for name in evaluation.__all__:
        metric = getattr(evaluation, name)
        assert (
            is_image_metric(name)
            == is_image_metric(f'sr4ir_mm.{name}')
            == is_image_metric(metric)
            == issubclass(metric, RestorationMetric)
        ), name


@pytest.mark.parametrize(
    'name, expected',
    [
        ('PSNR', True),
        ('Set5/PSNR', True),
        ('prefix/NIQE', True),
        ('mmagic.SSIM', True),
        (dict(type='sr4ir_mm.LPIPS'), True),
        ('mIoU', False),
        ('coco/bbox_mAP', False),
        ('accuracy/top1', False),
        ('sr4ir_mm.PerClassIoUMetric', False),
        (dict(type='Accuracy'), False),
    ],
)
def test_names_types_and_configs(name, expected):
    assert is_image_metric(name) == expected


@pytest.mark.parametrize('name', IMAGE_METRICS)
def test_no_image_metric_becomes_the_task_metric(name):
    results = [dict(protocol='sr', seed=0, metrics={name: 5.0})]
    assert main_metric(results) is None
    assert main_metric([*results, dict(protocol='s2t', seed=0, metrics={name: 5.0, 'mIoU': 50.0})]) == 'mIoU'
    # but it is shown
    assert f'| protocol | {name} | seeds |' in markdown(summarize(results, ['sr'], None), dict(sr='SR'))


def test_the_test_table_puts_image_metrics_last_with_unit_and_direction():
    rows = [
        [cell.strip() for cell in line.split('|')[1:-1]]
        for line in table_of_a_test({'NIQE': 4.0, 'Set5/PSNR': 30.0, 'LPIPS': 0.2, 'mIoU': 50.0}, {}).splitlines()[2:]
    ]
    assert [row[0] for row in rows] == ['mIoU', 'NIQE', 'Set5/PSNR', 'LPIPS']
    assert [row[2] for row in rows] == ['', 'lower is better', 'dB, higher is better', 'lower is better']


def test_a_protocol_without_recognizer_keeps_image_metrics_alone():
    cfg = Config.fromfile(ROOT / 'configs/demo/sr4ir_fpn_edsr_x4_demo.py')
    cfg.val_evaluator = cfg.test_evaluator = [dict(type='sr4ir_mm.PerClassIoUMetric'), dict(type='sr4ir_mm.NIQE')]
    assert apply_protocol(cfg, SR, {}).val_evaluator == [dict(type='sr4ir_mm.NIQE')]
    cfg.val_evaluator = [dict(type='sr4ir_mm.PerClassIoUMetric')]
    with pytest.raises(
        ConfigError, match=r'val_evaluator has no metric of restored images \(PSNR, SSIM, LPIPS, NIQE\)'
    ):
        apply_protocol(cfg, SR, {})


def test_a_plug_in_adds_its_own(monkeypatch):
    monkeypatch.setitem(IMAGE_METRICS, 'DISTS', ImageMetric('', higher_is_better=False))
    assert main_metric([dict(metrics={'DISTS': 0.1})]) is None
    assert 'DISTS  | 0.1   | lower is better' in table_of_a_test({'DISTS': 0.1}, {})


@pytest.mark.parametrize('name', ['deeplabv3_edsr_x4_voc', 'faster-rcnn_edsr_x4_voc', 'resnet18_edsr_x4_cub'])
def test_sr_is_measured_by_the_image_metrics_of_its_recognition_experiment(name, with_protocol):
    path = ROOT / f'configs/sr4ir/{name}.py'
    whole, sr = with_protocol(path, 's2t'), with_protocol(path, 'sr')
    for key in ('val_evaluator', 'test_evaluator'):
        assert sr[key] == [metric for metric in whole[key] if is_image_metric(metric)] and len(sr[key]) == 2, key
