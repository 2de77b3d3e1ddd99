"""Paired differences over the folds of a cross-validation, and their intervals."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

__all__ = ["LEVEL", "Difference", "holm", "paired_difference"]

#: Of all intervals; errors of tests are held at 1 - LEVEL over all methods.
LEVEL = 0.95


@dataclass(frozen=True)
class Difference:
    """A mean difference over folds.

    Attributes
    ----------
    mean : float
        Of the differences; NaN where fewer than two folds have one.
    low, high : float
        Its 95 % interval, for this difference alone.
    p_value : float
        Of no difference, two-sided.
    n_folds : int
        The folds that both have.
    """

    mean: float
    low: float
    high: float
    p_value: float
    n_folds: int


def paired_difference(
    values: NDArray[np.float64],
    reference: NDArray[np.float64],
    test_per_train: float,
) -> Difference:
    """The mean of values - reference, by the corrected resampled t-test.

    The training sets of folds overlap, so their differences are not independent. The
    variance of the mean is taken for s**2 (1 / J + n_test / n_train) instead of
    s**2 / J (Nadeau & Bengio, *Inference for the Generalization Error*, 2003).
    """
    differences = (values - reference)[np.isfinite(values - reference)]
    n_folds = len(differences)
    if n_folds < 2:
        nothing = float("nan")
        return Difference(nothing, nothing, nothing, 1.0, n_folds)
    mean = float(differences.mean())
    spread = float(differences.std(ddof=1)) * np.sqrt(1 / n_folds + test_per_train)
    if spread == 0:
        return Difference(mean, mean, mean, float(mean == 0), n_folds)
    half = float(stats.t.ppf((1 + LEVEL) / 2, n_folds - 1)) * spread
    p_value = 2 * float(stats.t.sf(abs(mean) / spread, n_folds - 1))
    return Difference(mean, mean - half, mean + half, p_value, n_folds)


def holm(p_values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The p-values adjusted for their number (Holm 1979)."""
    order = np.argsort(p_values)
    scaled = p_values[order] * np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1)
    return adjusted
