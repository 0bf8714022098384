"""The table and the file of a test, from what the evaluators of the host libraries return."""

import json

import numpy as np
import pytest

from sr4ir_mm.experiments.test_report import report_test

CLASSES = ('cat', 'dog')


@pytest.mark.parametrize(
    'metrics, whole, each, lines',
    [
        (
            {'mIoU': 50.0, 'IoU/cat': 40.0, 'IoU/dog': 60.0, 'PSNR': np.float64(20.5)},
            {'mIoU': 50.0, 'PSNR': 20.5},
            dict(cat=dict(IoU=40.0), dog=dict(IoU=60.0)),
            ['PSNR | 20.50 | dB, higher is better', 'dog | 60.00'],
        ),
        (
            {'coco/bbox_mAP': 0.512, 'coco/bbox_mAP_l': -1.0, 'coco/cat_precision': 0.25, 'coco/dog_precision': np.nan},
            {'coco/bbox_mAP': 0.512, 'coco/bbox_mAP_l': -1.0},
            dict(cat=dict(bbox_mAP=0.25), dog=dict(bbox_mAP=None)),
            ['coco/bbox_mAP | 0.512', 'coco/bbox_mAP_l | –', 'cat | 0.25', 'dog | –'],
        ),
        (
            {'accuracy/top1': 75.0, 'single-label/recall_classwise': [50.0, 100.0], 'SSIM': 0.9},
            {'accuracy/top1': 75.0, 'SSIM': 0.9},
            dict(cat=dict(recall=50.0), dog=dict(recall=100.0)),
            ['SSIM | 0.9 | higher is better', 'cat | 50.00'],
        ),
    ],
)
def test_table_and_file(tmp_path, capsys, metrics, whole, each, lines):
    report_test(metrics, CLASSES, 'config.py', 'epoch_1.pth', tmp_path / 'test.json')
    table = [' '.join(line.split()) for line in capsys.readouterr().out.splitlines()]
    for line in lines:
        assert any(line in row for row in table), (line, table)
    written = json.loads((tmp_path / 'test.json').read_text())
    assert written['metrics'] == whole and written['classes'] == each
