"""Calibration where positives are rare."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from focalboost._validation import (
    one_of,
    reject,
    require_length,
    require_two_classes,
    require_weights,
    whole_number,
)
from focalboost.diagnostics._frames import data_frame
from focalboost.diagnostics._intervals import wilson
from focalboost.diagnostics._labels import binary_labels, open_share

__all__ = ["Reliability", "reliability"]


@dataclass(frozen=True, eq=False)
class Reliability:
    """Predicted and observed shares of positives, by bins of the prediction.

    Attributes
    ----------
    n_rows : ndarray of int, shape (B,)
        Rows of each bin; bins are in increasing order of the prediction.
    weight : ndarray of shape (B,)
        Their total weight.
    predicted, observed : ndarray of shape (B,)
        Mean probability, and share of positives.
    low, high : ndarray of shape (B,)
        The interval of the share (Wilson's).
    level : float
        Of the intervals.
    prevalence : float
        The share of positives in all rows.
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
        """The mean of |observed - predicted| over the rows, bin by bin."""
        gap = np.abs(self.observed - self.predicted)
        return float(np.average(gap, weights=self.weight))

    @property
    def relative_calibration_error(self) -> float:
        """The expected calibration error in units of the prevalence.

        A constant that is twice the prevalence has 1.
        """
        return self.expected_calibration_error / self.prevalence

    def to_pandas(self) -> Any:
        """Return a DataFrame with one line for each bin."""
        return data_frame(
            {
                "rows": self.n_rows,
                "weight": self.weight,
                "predicted": self.predicted,
                "observed": self.observed,
                "low": self.low,
                "high": self.high,
            }
        )


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
        Labels 0 and 1, or booleans: ``y == "fraud"`` of words.
    probability : array-like of shape (n_samples,)
        Of the positive class, in [0, 1]: ``model.predict_proba(X)[:, 1]``, or
        ``loss.posterior(raw)`` of raw predictions, whose ``expit`` is the focal score
        and no probability where gamma > 0.
    sample_weight : array-like of shape (n_samples,), optional
        Weights of the rows.
    n_bins : int, default=10
        The most bins; rows of one probability are not divided.
    mass : {"positives", "rows"}, default="positives"
        What bins have equally of: expected positives, the sum of the probability, or
        rows. At 1 positive in 1000 one of ten bins of rows would hold nearly all that
        matters.
    level : float, default=0.95
        Of the intervals, in (0, 1). With weights they are for
        (sum of weights)**2 / (sum of squares) rows.

    Raises
    ------
    ValueError
        If an argument is out of range, or a class is missing.

    References
    ----------
    For bins of equal mass Nixon et al., *Measuring Calibration in Deep Learning*, 2019;
    for the intervals Wilson, *Probable Inference*, 1927.

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
    p = np.asarray(probability, dtype=np.float64)
    require_length("probability", p, len(y))
    if not np.all((p >= 0) & (p <= 1)):
        wrong = float(p[~((p >= 0) & (p <= 1))][0])
        advice = "Use model.predict_proba(X)[:, 1], or loss.posterior(raw)."
        reject("probability", "in [0, 1]", wrong, advice)
    weight = np.ones(len(y))
    if sample_weight is not None:
        weight = np.asarray(sample_weight, dtype=np.float64)
        require_length("sample_weight", weight, len(y))
        require_weights(np, weight)
    require_two_classes(float(weight @ y), float(weight @ (1 - y)))
    counts = weight > 0
    y, p, weight = y[counts], p[counts], weight[counts]
    bins = _bins(p, weight * p if mass == "positives" else weight, n_bins)

    def summed(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.bincount(bins, values)

    total = summed(weight)
    observed = summed(weight * y) / total
    effective = total**2 / summed(weight**2)
    return Reliability(
        np.bincount(bins),
        total,
        summed(weight * p) / total,
        observed,
        *wilson(observed, effective, level),
        level,
        float(np.average(y, weights=weight)),
    )


def _bins(
    p: NDArray[np.float64], mass: NDArray[np.float64], n_bins: int
) -> NDArray[np.intp]:
    """A number for each row, without gaps, such that bins have about the same mass."""
    values, group = np.unique(p, return_inverse=True)
    of_group = np.bincount(group, mass, minlength=len(values))
    if not of_group.sum() > 0:  # all probabilities are 0
        return np.zeros(len(p), dtype=np.intp)
    middle = np.cumsum(of_group) - of_group / 2
    bin_of_group = np.floor(n_bins * middle / of_group.sum()).astype(np.intp)
    return np.unique(bin_of_group, return_inverse=True)[1][group]
