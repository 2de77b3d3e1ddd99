"""What predictions are worth: alerts on the largest scores, thresholds, reliability."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import binomtest, rankdata

from focalboost._hosts._imports import data_frame
from focalboost._validation import (
    binary_labels,
    finite_scores,
    numbers_of,
    one_of,
    open_share,
    reject,
    require_length,
    require_two_classes,
    require_weights,
    whole_number,
)

Array = NDArray[np.float64]

#: The cost of an alert and of a positive without one: numbers, or one for each row.
Costs = tuple[Any, Any] | Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Alerts:
    """Recall, precision and cost of the rows with the largest scores.

    Attributes
    ----------
    n_alerts : ndarray of int, shape (A,)
        Numbers of rows with an alert. The other arrays have the same shape.
    threshold : ndarray
        The smallest score with an alert.
    n_found : ndarray
        Positives among them. If several rows tie for the last alert, this is the
        expected number under a random choice.
    n_positive, n_negative : int
        Numbers of all rows of each class.
    recall, recall_low, recall_high : ndarray
        Share of the positives that get an alert, with its interval.
    precision, precision_low, precision_high : ndarray
        Share of the alerts that are positives, with its interval.
    false_positive_rate : ndarray
        Share of the negatives that get an alert.
    cost, cost_low, cost_high : ndarray or None
        Total cost of alerts and missed positives, if costs are given. The interval
        follows from that of the share of the missed costs.
    level : float
        Level of the intervals.
    """

    __module__ = "focalboost.diagnostics"

    n_alerts: NDArray[np.int64]
    threshold: Array
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
        """The number of alerts with the smallest cost, among those of ``n_alerts``."""
        if self.cost is None:
            reject("costs", "given", None, "Use alerts(..., costs=(1, 100)).")
        return int(self.n_alerts[np.argmin(self.cost)])

    def to_pandas(self) -> Any:
        """Return a DataFrame with one row for each number of alerts."""
        columns = vars(self).items()
        return data_frame({k: v for k, v in columns if isinstance(v, np.ndarray)})


def alerts(
    y_true: Any,
    score: Any,
    *,
    n_alerts: int | Sequence[int] | None = None,
    false_positive_rates: float | Sequence[float] | None = None,
    costs: Costs | None = None,
    level: float = 0.95,
) -> Alerts:
    """Return what alerts on the rows with the largest scores find, miss and cost.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels 0 and 1, or booleans. If the labels are words, pass ``y == "fraud"``.
    score : array-like of shape (n_samples,)
        Probabilities or raw predictions: larger for rows that are more likely positive.
    n_alerts : int or sequence of int, optional
        Numbers of alerts, from 1 to n_samples; by default about 20 for each power of
        ten.
    false_positive_rates : float or sequence of float, optional
        Instead of ``n_alerts``: take the most alerts above a threshold whose share of
        the negatives is at most this rate.
    costs : (cost of an alert, cost of a miss) or dict, optional
        Each is a number, or has one value for each row, such as the amount of a payment
        for the cost of missing it. A dict has the keys "alert" and "miss". An alert
        costs the same whether it is right or wrong.
    level : float, default=0.95
        Level of the intervals (Wilson's), in (0, 1).

    Returns
    -------
    Alerts

    Raises
    ------
    ValueError
        If an argument is out of range, a class is missing, or no threshold reaches a
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
    >>> amount = [20, 30, 500, 10, 40, 70, 20, 10]
    >>> alerts(y_true, score, n_alerts=[1, 2, 3], costs=(10, amount)).cost
    array([50., 60., 30.])
    """
    y, ranking, level = _ranked(y_true, score, level)
    n_positive = int(y.sum())
    n_negative = len(y) - n_positive
    if false_positive_rates is None:
        counts = _checked_counts(n_alerts, len(y))
    elif n_alerts is None:
        counts = _counts_of_rates(ranking, 1 - y, numbers_of(false_positive_rates))
    else:
        advice = "Give one of the two."
        reject("n_alerts", "None beside false_positive_rates", n_alerts, advice)
    found = ranking.sums_of_first(counts, y)
    recall, precision = found / n_positive, found / counts
    cost: Any = (None, None, None)
    if costs is not None:
        cost = _costs_with_interval(ranking, counts, checked_costs(costs, y), level)
    return Alerts(
        n_alerts=counts,
        threshold=ranking.score[counts - 1],
        n_found=found,
        n_positive=n_positive,
        n_negative=n_negative,
        **_named("recall", recall, *wilson(recall, n_positive, level)),
        **_named("precision", precision, *wilson(precision, counts, level)),
        false_positive_rate=(counts - found) / n_negative,
        **_named("cost", *cost),
        level=level,
    )


def _named(name: str, value: Any, low: Any, high: Any) -> dict[str, Any]:
    """Values with their intervals, by the names of their fields."""
    return {name: value, f"{name}_low": low, f"{name}_high": high}


@dataclass(frozen=True)
class CheapestThreshold:
    """The threshold of an alert with the smallest total cost.

    Attributes
    ----------
    threshold : float
        Alert on the rows whose score is at least this; inf is no alert at all.
    low, high : float
        Interval of the threshold.
    n_alerts : int
        Number of rows with an alert.
    cost : float
        Total cost of alerts and missed positives.
    level : float
        Level of the interval.
    """

    __module__ = "focalboost.diagnostics"

    threshold: float
    low: float
    high: float
    n_alerts: int
    cost: float
    level: float


def cheapest_threshold(
    y_true: Any,
    score: Any,
    costs: Costs,
    *,
    level: float = 0.95,
    n_resamples: int = 200,
    random_state: int | np.random.Generator | None = 0,
) -> CheapestThreshold:
    """Return the threshold with the smallest total cost, with its interval.

    Every score is tried as a threshold, and no alert at all. Use rows that the model
    has not seen: the cost is still a bit too small, as the same rows chose the
    threshold. The interval has the thresholds that are cheapest in resamples of the
    rows (percentile bootstrap). It is often wide, because many thresholds cost nearly
    the same, and rough where positives are few.

    If the score is a probability and both costs are numbers, the cheapest threshold
    should be near cost of an alert / cost of a miss. If the cost of a miss is an
    amount, use ``probability * amount`` as score: its threshold is the cost of an
    alert.

    Parameters
    ----------
    y_true, score, costs, level
        See ``alerts``.
    n_resamples : int, default=200
        Number of resamples.
    random_state : int, numpy Generator or None, default=0
        Seed of the resamples.

    Returns
    -------
    CheapestThreshold

    Raises
    ------
    ValueError
        If an argument is out of range, or a class is missing.

    References
    ----------
    Efron & Tibshirani, *An Introduction to the Bootstrap*, 1993.

    Examples
    --------
    >>> from focalboost.diagnostics import cheapest_threshold
    >>> found = cheapest_threshold([0, 0, 1, 0, 1, 0], [1, 2, 9, 3, 7, 8], (1, 10))
    >>> found.threshold, found.n_alerts, found.cost
    (7.0, 3, 3.0)
    """
    y, ranking, level = _ranked(y_true, score, level)
    n_resamples = whole_number("n_resamples", n_resamples, 1)
    of_alert, of_miss = checked_costs(costs, y)
    thresholds = np.append(np.inf, ranking.score[ranking.n_alerts[1:] - 1])
    added = (of_alert - of_miss)[ranking.order]
    relative = ranking.sums(added)  # total costs, minus that of no alert
    best = np.argmin(relative)
    rng = np.random.default_rng(random_state)
    cheapest = []
    for _ in range(n_resamples):
        repeats = np.bincount(rng.integers(len(y), size=len(y)), minlength=len(y))
        cheapest.append(thresholds[np.argmin(ranking.sums(added * repeats))])
    tails = (1 - level) / 2, (1 + level) / 2
    low, high = np.quantile(cheapest, tails, method="inverted_cdf")
    return CheapestThreshold(
        threshold=float(thresholds[best]),
        low=float(low),
        high=float(high),
        n_alerts=int(ranking.n_alerts[best]),
        cost=float(of_miss.sum() + relative[best]),
        level=level,
    )


@dataclass(frozen=True, eq=False)
class AlertOverlap:
    """The positives that two models find with the same number of alerts.

    Attributes
    ----------
    n_alerts : int
        Number of alerts of each model.
    both, only_first, only_second, neither : ndarray of int
        Row numbers of the positives. The hardest for both models come first.
    first_rank, second_rank : ndarray of int, shape (n_samples,)
        Rank of each row in each model, 1 for the largest score. Rows with equal scores
        share the largest of their ranks.
    p_value : float
        Two-sided p-value of equal recall (McNemar's exact test).
    """

    __module__ = "focalboost.diagnostics"

    n_alerts: int
    both: NDArray[np.intp]
    only_first: NDArray[np.intp]
    only_second: NDArray[np.intp]
    neither: NDArray[np.intp]
    first_rank: NDArray[np.int64]
    second_rank: NDArray[np.int64]
    p_value: float

    def to_pandas(self) -> Any:
        """Return a DataFrame with one row for each positive."""
        groups = {
            "both": self.both,
            "only the first": self.only_first,
            "only the second": self.only_second,
            "neither": self.neither,
        }
        rows = np.concatenate(list(groups.values()))
        found_by = np.repeat(list(groups), list(map(len, groups.values())))
        ranks = {
            "first rank": self.first_rank[rows],
            "second rank": self.second_rank[rows],
        }
        return data_frame({"row": rows, "found by": found_by, **ranks})


def alert_overlap(y_true: Any, first: Any, second: Any, n_alerts: int) -> AlertOverlap:
    """Return which positives one model finds and another misses.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels 0 and 1, or booleans.
    first, second : array-like of shape (n_samples,)
        Scores of the two models: larger for rows that are more likely positive.
    n_alerts : int
        Number of alerts of each model. If rows with equal scores do not all fit, none
        of them gets an alert.

    Returns
    -------
    AlertOverlap

    Raises
    ------
    ValueError
        If an argument is out of range.

    References
    ----------
    McNemar, *Note on the Sampling Error of the Difference Between Correlated
    Proportions*, 1947.

    Examples
    --------
    >>> from focalboost.diagnostics import alert_overlap
    >>> y_true = [1, 1, 1, 0, 0, 0]
    >>> overlap = alert_overlap(y_true, [9, 8, 1, 2, 3, 4], [9, 1, 8, 2, 3, 4], 2)
    >>> overlap.only_first, overlap.only_second
    (array([1]), array([2]))
    """
    y = binary_labels(y_true)
    scores = [finite_scores("first", first, len(y))]
    scores += [finite_scores("second", second, len(y))]
    ranks = rankdata(np.negative(scores), "max", axis=1).astype(np.int64)
    limit = int(_checked_counts([n_alerts], len(y))[0])
    positives = np.flatnonzero(y == 1)
    positives = positives[np.argsort(-ranks.min(axis=0)[positives], kind="stable")]
    by_first, by_second = (rank[positives] <= limit for rank in ranks)
    only_first = positives[by_first & ~by_second]
    only_second = positives[by_second & ~by_first]
    n_only = len(only_first) + len(only_second)
    p_value = binomtest(len(only_first), n_only).pvalue if n_only else 1.0
    return AlertOverlap(
        n_alerts=limit,
        both=positives[by_first & by_second],
        only_first=only_first,
        only_second=only_second,
        neither=positives[~by_first & ~by_second],
        first_rank=ranks[0],
        second_rank=ranks[1],
        p_value=float(p_value),
    )


class _Ranking:
    """The rows from the largest score down, and the thresholds between them.

    The first threshold is above all scores. Each other one is a score of some rows.
    """

    def __init__(self, score: Array) -> None:
        self.order = np.argsort(-score, kind="stable")
        self.score = score[self.order]
        is_last = np.append(self.score[1:] != self.score[:-1], True)
        self.n_alerts = np.append(0, 1 + np.flatnonzero(is_last))  # at each threshold

    def sums(self, ordered: Array) -> Array:
        """Sums of values, in the order of the rows, over the alerts of thresholds."""
        return np.asarray(np.append(0.0, np.cumsum(ordered))[self.n_alerts])

    def sums_of_first(self, n_rows: NDArray[np.int64], values: Array) -> Array:
        """Sums over the first rows: the expectation if ties are broken at random."""
        sums = self.sums(values[self.order])
        return np.asarray(np.interp(n_rows, self.n_alerts, sums))


def _ranked(y_true: Any, score: Any, level: Any) -> tuple[Array, _Ranking, float]:
    """The checked labels, the ranking by the score, and the level."""
    y = binary_labels(y_true)
    ranking = _Ranking(finite_scores("score", score, len(y)))
    require_two_classes(int(y.sum()), int((1 - y).sum()))
    return y, ranking, open_share("level", level, "Use level=0.95.")


def _counts_of_rates(
    ranking: _Ranking, is_negative: Array, rates: Sequence[float]
) -> NDArray[np.int64]:
    """The most alerts above a threshold that keep each false-positive rate."""
    limits = [open_share("false_positive_rates", r, "Use [0.001].") for r in rates]
    negatives = ranking.sums(is_negative[ranking.order])
    allowed = np.multiply(limits, negatives[-1])
    thresholds = np.searchsorted(negatives, allowed, side="right") - 1
    if not thresholds.all():
        rule = "reached by a threshold"
        advice = "Raise the rate: more negatives than this share the largest score."
        reject("false_positive_rates", rule, min(limits), advice)
    return np.asarray(ranking.n_alerts[thresholds])


def _checked_counts(
    n_alerts: int | Sequence[int] | None, n_rows: int
) -> NDArray[np.int64]:
    """The numbers of alerts, each at most the number of rows."""
    if n_alerts is None:
        n_points = 2 + int(20 * np.log10(n_rows))
        return np.unique(np.geomspace(1, n_rows, n_points).round().astype(np.int64))
    counts = numbers_of(n_alerts)
    for count in counts:
        if whole_number("n_alerts", count, 1) > n_rows:
            advice = f"Use n_alerts={n_rows} or less."
            reject("n_alerts", f"at most {n_rows}, the number of rows", count, advice)
    return np.asarray(counts, dtype=np.int64)


def checked_costs(costs: Costs, y: Array) -> tuple[Array, Array]:
    """The cost of an alert on each row, and of a miss; that of a negative is 0."""
    rule = "a pair (of an alert, of a miss) of numbers >= 0, or of such for each row"
    advice = 'Use costs=(1, 100), or costs={"alert": 1, "miss": amount}.'
    if isinstance(costs, Mapping):
        if set(costs) != {"alert", "miss"}:
            reject("costs", 'a dict of "alert" and "miss"', list(costs), advice)
        costs = costs["alert"], costs["miss"]
    try:
        of_alert, of_miss = (np.full(y.shape, cost, dtype=float) for cost in costs)
    except (TypeError, ValueError):
        reject("costs", rule, costs, advice)
    for cost in (of_alert, of_miss):
        is_cost = (cost >= 0) & (cost < np.inf)
        if not is_cost.all():
            row = int(np.argmin(is_cost))
            reject("costs", rule, f"{cost[row]:g} in row {row}", advice)
    return of_alert, of_miss * y


def _costs_with_interval(
    ranking: _Ranking,
    counts: NDArray[np.int64],
    costs: tuple[Array, Array],
    level: float,
) -> tuple[Array, Array, Array]:
    """Total costs with their intervals: those of the share of the missed costs."""
    spent, saved = (ranking.sums_of_first(counts, cost) for cost in costs)
    of_miss = costs[1]
    total = of_miss.sum()
    if total == 0:
        return spent, spent, spent
    # Kish's number of positives of equal costs with the same precision
    n_effective = total**2 / (of_miss**2).sum()
    low, high = wilson(saved / total, n_effective, level)
    return spent + total - saved, spent + total * (1 - high), spent + total * (1 - low)


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
    weight: Array
    predicted: Array
    observed: Array
    low: Array
    high: Array
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
        Probability of the positive class, in [0, 1]: ``model.predict_proba(X)[:, 1]``
        or ``loss.posterior(raw)``. A focal score ``expit(raw)`` is none if gamma > 0.
    sample_weight : array-like of shape (n_samples,), optional
        Weights of the rows.
    n_bins : int, default=10
        Largest number of bins. Rows with the same probability share a bin.
    mass : {"positives", "rows"}, default="positives"
        What every bin holds the same amount of: expected positives (the sum of the
        probabilities), or rows. If positives are rare, one bin of rows has nearly all.
    level : float, default=0.95
        Level of the intervals, in (0, 1). With weights, the intervals are those of
        (sum of weights)**2 / (sum of squared weights) rows.

    Returns
    -------
    Reliability

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
    >>> round(reliability(y_true, probability).relative_calibration_error, 1)
    0.1
    >>> round(reliability(y_true, np.sqrt(probability)).relative_calibration_error, 1)
    4.1
    """
    one_of("mass", mass, ("positives", "rows"))
    whole_number("n_bins", n_bins, 1, "Use n_bins=10.")
    level = open_share("level", level, "Use level=0.95.")
    y = binary_labels(y_true)
    p = finite_scores("probability", probability, len(y))
    outside = p[(p < 0) | (p > 1)]
    if outside.size:
        advice = "Use model.predict_proba(X)[:, 1], or loss.posterior(raw)."
        reject("probability", "in [0, 1]", float(outside[0]), advice)
    given = np.ones(len(y)) if sample_weight is None else sample_weight
    weight = np.asarray(given, dtype=np.float64)
    require_length("sample_weight", weight, len(y))
    require_weights(np, weight)
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


def wilson(share: Any, n_rows: Any, level: float) -> tuple[Array, Array]:
    """Wilson's interval of a share. SciPy's ``binomtest`` has no fractions of rows."""
    z = float(ndtri((1 + level) / 2))
    p, n = np.asarray(share, np.float64), np.asarray(n_rows, np.float64)
    centre = p + z**2 / (2 * n)
    half = z * np.sqrt(p * (1 - p) / n + (z / (2 * n)) ** 2)
    low, high = (centre - half) / (1 + z**2 / n), (centre + half) / (1 + z**2 / n)
    return np.clip(low, 0.0, p), np.clip(high, p, 1.0)


def _bins(p: Array, mass: Array, n_bins: int) -> NDArray[np.intp]:
    """The bin of each row: numbers without gaps, and bins of about the same mass."""
    values, group = np.unique(p, return_inverse=True)
    of_group = np.bincount(group, mass, minlength=len(values))
    if not of_group.sum() > 0:  # all probabilities are 0
        return np.zeros(len(p), dtype=np.intp)
    middle = np.cumsum(of_group) - of_group / 2
    bin_of_group = np.floor(n_bins * middle / of_group.sum()).astype(np.intp)
    return np.unique(bin_of_group, return_inverse=True)[1][group]
