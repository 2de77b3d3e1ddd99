"""What the rows with the largest scores are worth, where each is an alert."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from focalboost._validation import reject, require_two_classes, whole_number
from focalboost.diagnostics._frames import data_frame
from focalboost.diagnostics._intervals import wilson
from focalboost.diagnostics._labels import (
    binary_labels,
    finite_scores,
    numbers_of,
    open_share,
)

__all__ = ["Alerts", "alerts", "checked_counts"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Alerts:
    """Recall, precision and cost of the top rows, for each number of alerts.

    Attributes
    ----------
    n_alerts : ndarray of int, shape (A,)
        Rows with an alert, those with the largest scores.
    n_found : ndarray of shape (A,)
        Positives among them; of equal scores at the last place the expected number.
    n_positive, n_negative : int
        Of all rows.
    recall, recall_low, recall_high : ndarray of shape (A,)
        Share of the positives that is found, with interval.
    precision, precision_low, precision_high : ndarray of shape (A,)
        Share of the alerts that are positives, with interval.
    false_positive_rate : ndarray of shape (A,)
        Share of the negatives with an alert.
    cost, cost_low, cost_high : ndarray of shape (A,), or None
        Of alerts and missed positives, if costs are given; the interval is that of the
        recall.
    level : float
        Of the intervals.
    """

    __module__ = "focalboost.diagnostics"

    n_alerts: NDArray[np.int64]
    n_found: Array
    n_positive: int
    n_negative: int
    recall: Array
    recall_low: Array
    recall_high: Array
    precision: Array
    precision_low: Array
    precision_high: Array
    false_positive_rate: Array
    cost: Array | None
    cost_low: Array | None
    cost_high: Array | None
    level: float

    @property
    def cheapest(self) -> int:
        """The number of alerts with the smallest cost, of those that were asked for."""
        if self.cost is None:
            reject("costs", "given", None, "Use alerts(..., costs=(1, 100)).")
        return int(self.n_alerts[np.argmin(self.cost)])

    def to_pandas(self) -> Any:
        """Return a DataFrame with one line for each number of alerts."""
        hidden = ("n_positive", "n_negative", "level")
        columns = {
            name: values
            for name, values in self.__dict__.items()
            if name not in hidden and values is not None
        }
        return data_frame(columns)


def alerts(
    y_true: Any,
    score: Any,
    *,
    n_alerts: int | Sequence[int] | None = None,
    false_positive_rates: float | Sequence[float] | None = None,
    costs: tuple[float, float] | None = None,
    level: float = 0.95,
) -> Alerts:
    """Return what alerts for the rows with the largest scores find, miss and cost.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels 0 and 1, or booleans: ``y == "fraud"`` of words.
    score : array-like of shape (n_samples,)
        Larger for what is more likely positive: probabilities or raw predictions.
    n_alerts : int or sequence of int, optional
        Numbers of alerts, from 1 to n_samples; by default about 20 for each power of
        ten.
    false_positive_rates : float or sequence of float, optional
        In place of ``n_alerts``, for each rate the most alerts, by a threshold, that
        keep the share of negatives with an alert at or below it; at least one row.
    costs : (float, float), optional
        Of an alert, and of a positive without one.
    level : float, default=0.95
        Of the intervals (Wilson's), in (0, 1).

    Raises
    ------
    ValueError
        If an argument is out of range, a class is missing, or no threshold keeps a
        false-positive rate.

    Examples
    --------
    >>> from focalboost.diagnostics import alerts
    >>> y_true = [0, 0, 1, 0, 1, 0, 0, 0]
    >>> score = [1, 2, 9, 3, 7, 8, 1, 2]
    >>> found = alerts(y_true, score, n_alerts=[1, 2, 3], costs=(1, 10))
    >>> found.recall
    array([0.5, 0.5, 1. ])
    >>> found.cost
    array([11., 12.,  3.])
    >>> found.cheapest
    3
    """
    y = binary_labels(y_true)
    scores = finite_scores("score", score, len(y))
    require_two_classes(float(y.sum()), float((1 - y).sum()))
    level = open_share("level", level, "Use level=0.95.")
    if n_alerts is not None and false_positive_rates is not None:
        advice = "Give one of the two."
        reject("n_alerts", "None beside false_positive_rates", n_alerts, advice)
    if false_positive_rates is not None:
        counts = _counts_of_rates(y, scores, numbers_of(false_positive_rates))
    else:
        counts = checked_counts(n_alerts, len(y))
    found = _found(y, scores, counts)
    n_positive, n_negative = int(y.sum()), int((1 - y).sum())
    recall, precision = found / n_positive, found / counts
    recall_low, recall_high = wilson(recall, n_positive, level)
    precision_low, precision_high = wilson(precision, counts, level)
    cost: dict[str, Array | None] = dict.fromkeys(("cost", "cost_low", "cost_high"))
    if costs is not None:
        of_alert, of_miss = _checked_costs(costs)
        shares = (recall, recall_high, recall_low)
        for name, share in zip(cost, shares, strict=True):
            cost[name] = of_alert * counts + of_miss * n_positive * (1 - share)
    return Alerts(
        n_alerts=counts,
        n_found=found,
        n_positive=n_positive,
        n_negative=n_negative,
        recall=recall,
        recall_low=recall_low,
        recall_high=recall_high,
        precision=precision,
        precision_low=precision_low,
        precision_high=precision_high,
        false_positive_rate=(counts - found) / n_negative,
        **cost,
        level=level,
    )


def _found(y: Array, score: Array, counts: NDArray[np.int64]) -> Array:
    """Positives among the top rows, ties at the last place broken at random."""
    values, group = np.unique(-score, return_inverse=True)
    size = np.cumsum(np.bincount(group, minlength=len(values)))
    positives = np.cumsum(np.bincount(group, y, minlength=len(values)))
    # Linear between the ends of groups of equal scores, which is the expectation.
    ends = (np.append(0, size), np.append(0, positives))
    return np.asarray(np.interp(counts, *ends))


def _counts_of_rates(
    y: Array, score: Array, rates: Sequence[float]
) -> NDArray[np.int64]:
    """The most alerts of a threshold that keep each false-positive rate."""
    values, group = np.unique(-score, return_inverse=True)
    size = np.cumsum(np.bincount(group, minlength=len(values)))
    negatives = np.cumsum(np.bincount(group, 1 - y, minlength=len(values)))
    counts = []
    for rate in rates:
        limit = open_share("false_positive_rates", rate, "Use [0.001].")
        n_groups = np.searchsorted(negatives, limit * negatives[-1], side="right")
        if n_groups == 0:
            advice = "The largest score is that of too many negatives: raise the rate."
            reject("false_positive_rates", "reached by a threshold", rate, advice)
        counts.append(size[n_groups - 1])
    return np.asarray(counts, dtype=np.int64)


def checked_counts(
    n_alerts: int | Sequence[int] | None, n_rows: int
) -> NDArray[np.int64]:
    """Numbers of alerts that there are rows for, by default a grid of them."""
    if n_alerts is None:
        n_points = 2 + int(20 * np.log10(n_rows))
        grid = np.geomspace(1, n_rows, n_points).round()
        return np.unique(grid.astype(np.int64))
    counts = numbers_of(n_alerts)
    for count in counts:
        if whole_number("n_alerts", count, 1) > n_rows:
            reject("n_alerts", f"at most {n_rows}, all rows", count, "Use fewer.")
    return np.asarray(counts, dtype=np.int64)


def _checked_costs(costs: tuple[float, float]) -> tuple[float, float]:
    numbers = np.asarray(costs, dtype=np.float64)
    if numbers.shape != (2,) or not np.all((numbers >= 0) & np.isfinite(numbers)):
        rule = "a pair of finite numbers >= 0, of an alert and of a miss"
        reject("costs", rule, costs, "Use costs=(1, 100).")
    return float(numbers[0]), float(numbers[1])
