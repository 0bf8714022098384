"""Compute intervals and tests for differences between trainings: how sure a mean over a few seeds and images is."""

import math
from typing import List, NamedTuple, Sequence

import numpy as np
import pandas as pd
from scipy import stats

#: how often a 95 % interval has the true value in it
LEVEL = 0.95


class Interval(NamedTuple):
    """A mean with its 95 % interval and the two-sided p of "the true mean is zero"; NaN where no error is known."""

    mean: float
    low: float = math.nan
    high: float = math.nan
    p: float = math.nan
    seeds: int = 0
    method: str = ''


def _student(mean: float, error: float, seeds: int, method: str) -> Interval:
    """Build the interval of Student's t with ``seeds − 1`` degrees of freedom around a mean with this error."""
    # equal differences, as of a few images that are counted, leave no error to compare with
    if seeds < 2 or not math.isfinite(mean) or not math.isfinite(error) or error == 0:
        return Interval(mean, seeds=seeds)
    low, high = stats.t.interval(LEVEL, seeds - 1, mean, error)
    return Interval(mean, low, high, 2 * stats.t.sf(abs(mean) / error, seeds - 1), seeds, method)


def paired_t(differences: Sequence[float]) -> Interval:
    """Return the paired t interval over seeds.

    It speaks of other seeds on the same test images.

    Args:
        differences: One for each seed.
    """
    seeds = len(differences)
    mean = float(np.mean(differences)) if seeds else math.nan
    error = float(stats.sem(differences)) if seeds > 1 else math.nan
    return _student(mean, error, seeds, 't')


def image_weights(images: int, replicates: int, seed: int = 0) -> np.ndarray:
    """Draw bootstrap samples of images.

    Returns:
        How often each image is in each sample, shape (replicates, images); rows sum to ``images``.
    """
    return np.random.default_rng(seed).multinomial(images, np.full(images, 1 / images), size=replicates)


def two_level(differences: Sequence[float], replicates: np.ndarray, seed: int = 0) -> Interval:
    """Return the interval of a bootstrap over images and seeds.

    It speaks of other seeds and other test images. A replicate takes a sample of the images, the same for all seeds,
    and a sample of the seeds. The latter has one seed fewer than there are, which makes the variance of the mean
    unbiased (Rao and Wu, 1988), and its standard error goes with Student's t: the percentiles of a plain bootstrap of
    three seeds are far too close to each other. Where images differ more than seeds, this is wider than it has to be.
    :func:`scipy.stats.bootstrap` knows one level alone and takes means of values, while mIoU and AP of a sample of
    images are no means.

    Args:
        differences: One for each seed, on all images.
        replicates: The differences on samples of the images, shape (replicates, seeds).
        seed: Of the drawing of seeds.
    """
    seeds, replicates = len(differences), np.asarray(replicates, float)
    if seeds < 2:
        return paired_t(differences)
    drawn = np.random.default_rng(seed).integers(seeds, size=(len(replicates), seeds - 1))
    means = np.take_along_axis(replicates, drawn, axis=1).mean(axis=1)
    return _student(float(np.mean(differences)), float(means.std(ddof=1)), seeds, 'bootstrap')


def sign_test(differences: Sequence[float]) -> float:
    """Return the two-sided p of as many differences above zero as there are; zeros are left out."""
    signs = [difference > 0 for difference in differences if difference]
    return float(stats.binomtest(sum(signs), len(signs)).pvalue) if signs else math.nan


def holm(p: Sequence[float]) -> List[float]:
    """Correct p values for their number (Holm, 1979): below 0.05 at most one time in twenty, where nothing is there.

    scipy has only corrections that allow for a share of false findings.

    Args:
        p: NaN where there was no test; those are not counted.
    """
    tested = pd.Series(p, dtype=float).dropna().sort_values(kind='stable')
    corrected = (tested * range(len(tested), 0, -1)).clip(upper=1).cummax()
    return corrected.reindex(range(len(p))).tolist()
