"""Reliability: predicted against observed shares of positives."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from focalboost._hosts._imports import data_frame
from focalboost._validation import (
    binary_labels,
    one_of,
    open_share,
    reject,
    require_length,
    require_two_classes,
    require_weights,
    whole_number,
)


@dataclass(frozen=True, eq=False)
class Reliability:
    """Predicted and observed shares of positives, by bins of the prediction.

    Attributes
    ----------
    n_rows : ndarray of int, shape (B,)
        Rows of each bin. Bins are in increasing order of the prediction.
    weight : ndarray of shape (B,)
        Total weight of each bin.
    predicted, observed : ndarray of shape (B,)
        Mean probability, and share of positives.
    low, high : ndarray of shape (B,)
        Wilson's interval of the share.
    level : float
        Level of the intervals.
    prevalence : float
        Share of positives in all rows.
    """

    __module__ = "focalboost.diagnostics"

    n_rows: NDArray[np.int64]
    weight: NDArray[np.float64]
    predicted: NDArray[np.float64]
    observed: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    level: float
    prevalence: float

    @property
    def expected_calibration_error(self) -> float:
        """The mean of ``|observed - predicted|`` over the rows, bin by bin."""
        gap = np.abs(self.observed - self.predicted)
        return float(np.average(gap, weights=self.weight))

    @property
    def relative_calibration_error(self) -> float:
        """The expected calibration error in units of the prevalence.

        A constant prediction of twice the prevalence has an error of 1.
        """
        return self.expected_calibration_error / self.prevalence

    def to_pandas(self) -> Any:
        """Return a DataFrame with one row for each bin."""
        names = ("weight", "predicted", "observed", "low", "high")
        columns = {name: getattr(self, name) for name in names}
        return data_frame({"rows": self.n_rows, **columns})


def reliability(
    y_true: Any,
    probability: Any,
    sample_weight: Any = None,
    *,
    n_bins: int = 10,
    mass: str = "positives",
    level: float = 0.95,
) -> Reliability:
    """Return predicted and observed shares of positives in bins of equal mass.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels 0 and 1, or booleans. If the labels are words, pass ``y == "fraud"``.
    probability : array-like of shape (n_samples,)
        Probability of the positive class, in [0, 1]: ``model.predict_proba(X)[:, 1]``,
        or ``loss.posterior(raw)`` for raw predictions. The focal score ``expit(raw)``
        is not a probability if gamma > 0.
    sample_weight : array-like of shape (n_samples,), optional
        Weights of the rows.
    n_bins : int, default=10
        Largest number of bins. Rows with the same probability share a bin.
    mass : {"positives", "rows"}, default="positives"
        What every bin holds the same amount of: expected positives (the sum of the
        probabilities), or rows. With 1 positive in 1000 rows, one of ten bins of rows
        holds nearly all positives.
    level : float, default=0.95
        Level of the intervals, in (0, 1). With weights, the intervals are those of
        (sum of weights)**2 / (sum of squared weights) rows.

    Returns
    -------
    Reliability
        Predicted and observed shares of positives, by bin, with intervals.

    Raises
    ------
    ValueError
        If an argument is out of range, or a class is missing.

    References
    ----------
    Nixon et al., *Measuring Calibration in Deep Learning*, 2019, for bins of equal
    mass; Wilson, *Probable Inference*, 1927, for the intervals.

    Examples
    --------
    >>> import numpy as np
    >>> from focalboost.diagnostics import reliability
    >>> rng = np.random.default_rng(0)
    >>> probability = rng.beta(0.1, 10, size=50_000)
    >>> y_true = rng.random(50_000) < probability
    >>> right = reliability(y_true, probability)
    >>> bool(np.all((right.low < right.predicted) & (right.predicted < right.high)))
    True
    >>> wrong = reliability(y_true, np.sqrt(probability))
    >>> round(right.relative_calibration_error, 1)
    0.1
    >>> round(wrong.relative_calibration_error, 1)
    4.1
    """
    one_of("mass", mass, ("positives", "rows"))
    whole_number("n_bins", n_bins, 1, "Use n_bins=10.")
    level = open_share("level", level, "Use level=0.95.")
    y = binary_labels(y_true)
    p = _probabilities(probability, len(y))
    weight = _weights(sample_weight, len(y))
    require_two_classes(float(weight @ y), float(weight @ (1 - y)))
    counts = weight > 0
    y, p, weight = y[counts], p[counts], weight[counts]
    bins = _bins(p, weight * p if mass == "positives" else weight, n_bins)
    total = np.bincount(bins, weight).astype(np.float64)
    observed = np.bincount(bins, weight * y) / total
    low, high = wilson(observed, total**2 / np.bincount(bins, weight**2), level)
    return Reliability(
        n_rows=np.bincount(bins),
        weight=total,
        predicted=np.bincount(bins, weight * p) / total,
        observed=observed,
        low=low,
        high=high,
        level=level,
        prevalence=float(np.average(y, weights=weight)),
    )


def wilson(
    share: Any, n_rows: Any, level: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Wilson's score interval of a share of a number of rows.

    The interval stays inside [0, 1], and keeps a width where none or all of the rows
    are positive. The number of rows is positive and may be a fraction: scipy's
    ``binomtest`` takes whole numbers only.
    """
    z = float(ndtri((1 + level) / 2))
    p, n = np.asarray(share, np.float64), np.asarray(n_rows, np.float64)
    centre = p + z**2 / (2 * n)
    half = z * np.sqrt(p * (1 - p) / n + (z / (2 * n)) ** 2)
    low, high = (centre - half) / (1 + z**2 / n), (centre + half) / (1 + z**2 / n)
    return np.clip(low, 0.0, p), np.clip(high, p, 1.0)


def _probabilities(probability: Any, n_rows: int) -> NDArray[np.float64]:
    p = np.asarray(probability, dtype=np.float64)
    require_length("probability", p, n_rows)
    is_inside = (p >= 0) & (p <= 1)
    if not is_inside.all():
        advice = "Use model.predict_proba(X)[:, 1], or loss.posterior(raw)."
        reject("probability", "in [0, 1]", float(p[~is_inside][0]), advice)
    return p


def _weights(sample_weight: Any, n_rows: int) -> NDArray[np.float64]:
    if sample_weight is None:
        return np.ones(n_rows)
    weight = np.asarray(sample_weight, dtype=np.float64)
    require_length("sample_weight", weight, n_rows)
    require_weights(np, weight)
    return weight


def _bins(
    p: NDArray[np.float64], mass: NDArray[np.float64], n_bins: int
) -> NDArray[np.intp]:
    """The bin of each row: numbers without gaps, and bins of about the same mass."""
    values, group = np.unique(p, return_inverse=True)
    of_group = np.bincount(group, mass, minlength=len(values))
    if not of_group.sum() > 0:  # all probabilities are 0
        return np.zeros(len(p), dtype=np.intp)
    middle = np.cumsum(of_group) - of_group / 2
    bin_of_group = np.floor(n_bins * middle / of_group.sum()).astype(np.intp)
    return np.unique(bin_of_group, return_inverse=True)[1][group]
