import math

import numpy as np
import pytest
import torch

from sr4ir_mm.errors import ConfigError
from sr4ir_mm.evaluation import PSNR
from tests.helpers.builders import DATA


def evaluate(metric, samples):
    metric.process({}, samples)
    return metric.evaluate(len(samples))['PSNR']


def test_equals_the_reference():
    golden = np.load(DATA / 'psnr.npz')
    samples = [
        dict(sr=torch.from_numpy(sr), hr=torch.from_numpy(hr)) for sr, hr in zip(golden['sr_quantised'], golden['hr'])
    ]
    assert evaluate(PSNR(), samples) == pytest.approx(float(golden['psnr_mean']), abs=1e-4)


def test_equal_images_are_left_out_of_the_mean():
    hr = torch.randint(0, 256, (3, 32, 32)) / 255
    worse = (hr + 0.2).clamp(0, 1)
    alone = evaluate(PSNR(), [dict(sr=worse, hr=hr)])
    assert evaluate(PSNR(), [dict(sr=worse, hr=hr), dict(sr=hr, hr=hr)]) == alone
    assert evaluate(PSNR(), [dict(sr=hr, hr=hr)]) == math.inf


def test_border_is_left_out_and_sr_is_quantized():
    hr = torch.full((3, 32, 32), 100 / 255)
    sr = hr + 2.3 / 255  # stored as 102
    sr[:, :8] = 0
    assert evaluate(PSNR(border=8), [dict(sr=sr, hr=hr)]) == pytest.approx(20 * math.log10(255 / 2), abs=1e-4)


def test_an_image_smaller_than_its_border_is_refused():
    with pytest.raises(ConfigError, match='PSNR.border is 8, which leaves nothing of an image of 16×32 pixels'):
        PSNR().process({}, [dict(sr=torch.rand(3, 16, 32), hr=torch.rand(3, 16, 32))])


def test_a_data_set_without_clean_images_is_refused():
    with pytest.raises(ConfigError, match='PSNR needs the clean image'):
        PSNR().process({}, [dict(sr=torch.rand(3, 32, 32))])


@pytest.mark.parametrize('convert_to', [None, 'Y'])
def test_equals_mmagic_on_images_of_8_bits(convert_to):
    from mmagic.evaluation.metrics import psnr

    hr = torch.randint(0, 256, (3, 24, 20))
    sr = (hr + torch.randint(-20, 21, hr.shape)).clamp(0, 255)
    expected = psnr(
        hr.numpy(), sr.numpy(), crop_border=4, input_order='CHW', convert_to=convert_to, channel_order='rgb'
    )
    ours = evaluate(PSNR(border=4, convert_to=convert_to), [dict(sr=sr / 255, hr=hr / 255)])
    assert ours == pytest.approx(expected, abs=1e-3)


def test_each_benchmark_has_its_own_mean():
    hr = torch.full((3, 32, 32), 100 / 255)
    errors = ((1, 'Set5'), (2, 'Set5'), (4, 'B100'))
    samples = [dict(sr=hr + error / 255, hr=hr, benchmark=name) for error, name in errors]
    metric = PSNR()
    metric.process({}, samples)
    metrics = metric.evaluate(3)
    assert metrics['Set5/PSNR'] == pytest.approx(20 * math.log10(255) - 10 * math.log10(4) / 2, abs=1e-4)
    assert metrics['B100/PSNR'] == pytest.approx(20 * math.log10(255 / 4), abs=1e-4)
    with pytest.raises(ConfigError, match="PSNR.convert_to is 'y'; allowed: None, 'Y'"):
        PSNR(convert_to='y')
