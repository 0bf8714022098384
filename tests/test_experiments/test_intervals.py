"""Intervals against closed forms, scipy and simulated experiments."""

import math

import numpy as np
import pytest
from scipy import stats

from sr4ir_mm.experiments.intervals import holm, image_weights, paired_t, sign_test, two_level


def test_paired_t_is_that_of_scipy():
    values = [0.3, 1.2, -0.4, 0.9, 0.2]
    interval, reference = paired_t(values), stats.ttest_1samp(values, 0)
    assert interval.mean == pytest.approx(0.44) and interval.p == pytest.approx(reference.pvalue)
    assert (interval.low, interval.high) == pytest.approx(tuple(reference.confidence_interval(0.95)))
    flipped = paired_t([-value for value in values])
    assert (flipped.low, flipped.high, flipped.p) == pytest.approx((-interval.high, -interval.low, interval.p))


@pytest.mark.parametrize('interval', [paired_t, lambda values: two_level(values, np.zeros((5, len(values))))])
def test_one_seed_says_nothing_about_others(interval):
    found = interval([2.0])
    assert found.mean == 2 and all(map(math.isnan, (found.low, found.high, found.p)))


@pytest.mark.parametrize('value', [0.0, 2.0])
def test_equal_differences_leave_no_error_to_compare_with(value):
    found = paired_t([value] * 3)
    assert found.mean == value and found.seeds == 3 and all(math.isnan(each) for each in found[1:4])


def test_samples_of_images_have_the_standard_error_of_a_mean():
    values = np.random.default_rng(1).normal(size=200)
    weights = image_weights(200, 4000)
    assert (weights.sum(axis=1) == 200).all()
    # σ/√n with the n of the sample, as drawing from it has it
    assert (weights @ values / 200).std() == pytest.approx(values.std() / math.sqrt(200), rel=0.06)


def test_without_spread_between_images_two_levels_are_the_paired_t_interval():
    values = [0.3, 1.2, -0.4, 0.9]
    reference = paired_t(values)
    found = two_level(values, np.tile(values, (20000, 1)))
    assert found.mean == reference.mean and found.method == 'bootstrap'
    assert (found.low, found.high) == pytest.approx((reference.low, reference.high), abs=0.05)


def test_spread_between_images_widens_the_interval():
    values = [0.3, 1.2, -0.4, 0.9]
    noise = np.random.default_rng(2).normal(size=(2000, 1))  # the same images for all seeds
    wide, narrow = two_level(values, np.array(values) + noise), two_level(values, np.tile(values, (2000, 1)))
    # standard errors 1 of images and that of seeds add up in squares
    error = stats.sem(values)
    assert (wide.high - wide.low) / (narrow.high - narrow.low) == pytest.approx(math.hypot(1, error) / error, rel=0.1)


def test_the_interval_has_the_true_value_in_it_as_often_as_it_says():
    """Differences of 3 seeds on 60 images: an effect of each seed, of each image, and noise; the true mean is 1."""
    rng, weights, hits, experiments = np.random.default_rng(3), image_weights(60, 200), dict(two=0, t=0), 400
    for _ in range(experiments):
        differences = 1 + rng.normal(0, 0.3, (3, 1)) + rng.normal(0, 2, (1, 60)) + rng.normal(0, 1, (3, 60))
        found = two_level(differences.mean(axis=1), weights @ differences.T / 60)
        hits['two'] += found.low <= 1 <= found.high
        found = paired_t(differences.mean(axis=1))
        hits['t'] += found.low <= 1 <= found.high
    assert 0.93 <= hits['two'] / experiments <= 1
    # images that all seeds share are no part of what the seeds differ in: why there are two levels
    assert hits['t'] / experiments < hits['two'] / experiments


def test_sign_test():
    assert sign_test([1.0] * 12) == sign_test([-1.0] * 12) == pytest.approx(2 / 2**12)
    assert sign_test([1.0, -1.0, 0.0]) == pytest.approx(1)
    assert math.isnan(sign_test([]))


def test_holm():
    # (5, 4, 3) × p and never below the one before
    assert holm([0.05, 0.01, 0.02, math.nan, 0.04, 0.03])[:3] == pytest.approx([0.09, 0.05, 0.08])
    assert holm([0.05, 0.01, 0.02, math.nan, 0.04, 0.03])[4:] == pytest.approx([0.09, 0.09])
    assert holm([0.9, 0.8]) == [1.0, 1.0] and math.isnan(holm([math.nan])[0])
