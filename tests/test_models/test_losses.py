import pytest
import torch

from sr4ir_mm.errors import ConfigError
from sr4ir_mm.models import TDPLoss


def test_tdp_is_the_weighted_sum_of_mean_absolute_differences():
    sr = [torch.rand(2, 3, 4, 4), torch.rand(2, 5, 2, 2), torch.rand(2, 7, 1, 1)]
    hr = [torch.rand_like(feature) for feature in sr]
    tdp = TDPLoss(features=[0, -1], weights=[0.5, 2.0])
    expected = 0.5 * (sr[0] - hr[0]).abs().mean() + 2.0 * (sr[2] - hr[2]).abs().mean()
    assert torch.allclose(tdp.compare(tdp.select(sr), tdp.select(hr)), expected)


def test_features_and_weights_must_match():
    with pytest.raises(ConfigError, match='one weight for each feature'):
        TDPLoss(features=[0, 1], weights=[1.0])


def test_a_feature_that_does_not_exist_is_named():
    with pytest.raises(ConfigError, match='names the feature map 3, but the recognizer returns 2'):
        TDPLoss(features=[3]).select([torch.rand(1), torch.rand(1)])
