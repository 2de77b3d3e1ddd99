"""The result of a comparison: every fit, the differences, and the verdict."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from focalboost._hosts._imports import data_frame
from focalboost._validation import one_of
from focalboost.comparison._methods import Method
from focalboost.comparison._statistics import (
    CONSTANT,
    LEVEL,
    METRICS,
    Difference,
    Scores,
    holm,
    p_value_above_chance,
    paired_difference,
)


@dataclass(frozen=True, eq=False)
class Fit:
    """A method on one fold.

    Attributes
    ----------
    method : str
        Name of the method.
    fold : int
        Number of the fold, from 0.
    scores : Scores or None
        Scores on the test rows of the fold. None if the fit failed.
    error : str or None
        Why the fit failed.
    warnings : tuple of str
        Warnings of the host and of the estimator.
    params : dict
        The best grid point.
    n_rounds : int
        Boosting rounds of the best fit.
    seconds : float
        Wall time of the whole search.
    odds_factor : float
        Factor by which weights and resampling multiply the odds of a positive.
    log_odds : ndarray of float32, shape (n_test,), or None
        Predictions for the test rows: the logit of the probability.
    """

    method: str
    fold: int
    scores: Scores | None = None
    error: str | None = None
    warnings: tuple[str, ...] = ()
    params: dict[str, Any] | None = None
    n_rounds: int = 0
    seconds: float = 0.0
    odds_factor: float = 1.0
    log_odds: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Verdict:
    """A recommendation.

    Attributes
    ----------
    use : str or None
        Name of the method to use. None means a constant.
    text : str
        The reasons, in a few sentences.
    """

    use: str | None
    text: str


@dataclass(frozen=True, eq=False)
class Comparison:
    """The scores of every method on every fold, failed fits included.

    Attributes
    ----------
    methods : tuple of Method
        The methods, in the order of ``losses``.
    fits : tuple of Fit
        One fit for each method and fold.
    constants : tuple of Scores
        Expected scores of a constant on each fold.
    settings : Mapping of str to object
        What was the same for all methods: host, version, grid, folds, seed.
    first_tests : Mapping of int to ndarray of int
        Test rows by fold, for the folds whose test rows are in no earlier fold.
    test_per_train : float
        Mean ratio of test rows to training rows.
    y_true : ndarray of shape (n_samples,)
        Labels, 1 for the positive class.
    sample_weight : ndarray of shape (n_samples,), or None
        Weights of the rows.
    log_odds : Mapping of str to ndarray of shape (n_samples,)
        Predictions of each method for the rows of ``first_tests``: the logit of the
        probability. They are NaN for rows without a prediction.
    """

    __module__ = "focalboost.comparison"

    methods: tuple[Method, ...]
    fits: tuple[Fit, ...]
    constants: tuple[Scores, ...]
    settings: Mapping[str, Any]
    first_tests: Mapping[int, NDArray[np.intp]]
    test_per_train: float
    y_true: NDArray[np.int8]
    sample_weight: NDArray[np.float64] | None
    log_odds: Mapping[str, NDArray[np.float32]]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the methods."""
        return tuple(method.name for method in self.methods)

    @property
    def failures(self) -> tuple[Fit, ...]:
        """The fits that failed."""
        return tuple(fit for fit in self.fits if fit.error is not None)

    @property
    def reference(self) -> str:
        """The first method with scores on two folds or more, or else on one."""
        counts = {
            name: int(np.isfinite(self.values(name)).sum()) for name in self.names
        }
        return max(self.names, key=lambda name: min(counts[name], 2))

    def values(
        self, method: str, metric: str = "average_precision"
    ) -> NDArray[np.float64]:
        """Return the scores of a method on each fold, NaN where the fit failed.

        ``method`` is a name in ``names`` or "a constant". ``metric`` is one of
        "average_precision", "recall", "log_loss", "corrected_log_loss" and "brier".
        """
        one_of("metric", metric, tuple(METRICS))
        one_of("method", method, (*self.names, CONSTANT))
        if method == CONSTANT:
            return np.array([getattr(scores, metric) for scores in self.constants])
        found = np.full(len(self.constants), np.nan)
        for fit in self.fits:
            if fit.method == method and fit.scores is not None:
                found[fit.fold] = getattr(fit.scores, metric)
        return found

    def mean(self, method: str, metric: str = "average_precision") -> float:
        """Return the mean over the folds that did not fail, NaN if all failed."""
        values = self.values(method, metric)
        present = values[np.isfinite(values)]
        return float(present.mean()) if present.size else float("nan")

    def difference(
        self, method: str, other: str, metric: str = "average_precision"
    ) -> Difference:
        """Return the mean of method minus other, over the folds that have both."""
        values, others = self.values(method, metric), self.values(other, metric)
        return paired_difference(values, others, self.test_per_train)

    def adjusted_p_values(
        self, other: str, metric: str = "average_precision"
    ) -> dict[str, float]:
        """Return the p-value of each method against another one, adjusted by Holm."""
        names = [name for name in self.names if name != other]
        given = [self.difference(name, other, metric).p_value for name in names]
        return dict(zip(names, holm(np.asarray(given)).tolist(), strict=True))

    def p_values_above_chance(self) -> dict[str, float]:
        """Return the p-value of each ranking against random orders, adjusted by Holm.

        Only the first test of every row counts, because all repetitions of the folds
        have the same labels. Weights of the rows do not count. Folds whose fit failed
        are left out, and a method without any other has NaN.
        """

        def p_value(name: str) -> float:
            log_odds = self.log_odds[name]
            rows = [
                test
                for test in self.first_tests.values()
                if np.isfinite(log_odds[test]).all()
            ]
            if not rows:
                return np.nan
            found = [
                average_precision_score(self.y_true[test], log_odds[test])
                for test in rows
            ]
            sizes = [(len(test), int(self.y_true[test].sum())) for test in rows]
            return p_value_above_chance(float(np.mean(found)), sizes)

        adjusted = holm(np.array([p_value(name) for name in self.names])).tolist()
        return dict(zip(self.names, adjusted, strict=True))

    @property
    def verdict(self) -> Verdict:
        """What to use: a constant, the reference, or what is better beyond chance."""
        return _verdict(self)

    def to_pandas(self) -> Any:
        """Return a DataFrame with one row for each method and fold."""
        return data_frame(
            {
                "method": fit.method,
                "fold": fit.fold,
                **(
                    asdict(fit.scores) if fit.scores else dict.fromkeys(METRICS, np.nan)
                ),
                "rounds": fit.n_rounds,
                "seconds": fit.seconds,
                "params": fit.params,
                "warnings": "; ".join(fit.warnings),
                "error": fit.error,
            }
            for fit in self.fits
        )

    def summary_to_pandas(self) -> Any:
        """Return a DataFrame with one row for each method, means over the folds.

        "difference" is the average precision minus that of the reference, with its
        95 % interval from "low" to "high". "p" is adjusted for the number of methods.
        """
        p_values = self.adjusted_p_values(self.reference)

        def row(name: str) -> dict[str, Any]:
            means = {metric: self.mean(name, metric) for metric in METRICS}
            failed = sum(fit.method == name for fit in self.failures)
            against = {}
            if name in p_values:
                found = self.difference(name, self.reference)
                against = {"difference": found.mean, "low": found.low}
                against |= {"high": found.high, "p": p_values[name]}
            return {"method": name, **means, **against, "failed": failed}

        return data_frame([row(name) for name in (*self.names, CONSTANT)])


def _verdict(comparison: Comparison) -> Verdict:
    remark = _not_judged(comparison)
    above_chance = comparison.p_values_above_chance()
    useful = [name for name, p in above_chance.items() if p < 1 - LEVEL]
    if not useful:
        here = "here" if all(map(np.isfinite, above_chance.values())) else "judged"
        text = (
            f"Use no model: nothing {here} is better than a constant. No average "
            "precision is above the mean of random orders, "
            f"{comparison.mean(CONSTANT):.4f}, beyond chance. Look for features that "
            "separate the classes, or for more positives."
        )
        return Verdict(None, text + remark)
    reference = comparison.reference
    winners = [name for name in _beyond_chance(comparison, 1) if name in useful]
    if not winners and reference in useful:
        return Verdict(reference, _why_the_reference(comparison) + remark)
    if reference not in useful:
        remark = f" The ranking of {reference} is chance.{remark}"
    winners = winners or [max(useful, key=comparison.mean)]
    best = max(winners, key=comparison.mean)
    level = [
        name
        for name in winners
        if name == best or comparison.difference(name, best).high >= 0
    ]
    use = _simplest(comparison, level, best)
    same = [name for name in level if name != use]
    return Verdict(use, _why_a_winner(comparison, use, same) + remark)


def _judged(comparison: Comparison) -> list[str]:
    """The methods, other than the reference, with a difference to it."""
    reference = comparison.reference
    return [
        name
        for name in comparison.names
        if name != reference
        and np.isfinite(comparison.difference(name, reference).mean)
    ]


def _beyond_chance(comparison: Comparison, sign: int) -> list[str]:
    """The methods above the reference (sign 1) or below it (-1) beyond chance."""
    reference = comparison.reference
    return [
        name
        for name, p_value in comparison.adjusted_p_values(reference).items()
        if p_value < 1 - LEVEL
        and sign * comparison.difference(name, reference).mean > 0
    ]


def _why_the_reference(comparison: Comparison) -> str:
    reference = comparison.reference
    others = _judged(comparison)
    if len(comparison.names) == 1:
        return f"There is nothing to compare {reference} with: give more losses."
    if not others:
        return f"Use {reference}, the only method that is judged."
    if len(others) == 1:
        text = f"Use {reference}: {others[0]} is not better beyond chance."
    else:
        none = f"none of the {len(others)} others is"
        text = f"Use {reference}: {none} better beyond chance."
    ahead = [n for n in others if comparison.difference(n, reference).mean > 0]
    if ahead:
        best = max(ahead, key=comparison.mean)
        text += f" {best} has the highest mean, {_gain(comparison, best)}."
    worse = _beyond_chance(comparison, -1)
    if worse:
        text += f" Worse beyond chance: {', '.join(worse)}."
    return text


def _simplest(comparison: Comparison, level: list[str], best: str) -> str:
    """The method to use of those that are level with the best.

    Methods that keep probabilities come before those that shift them, log loss comes
    before focal losses, and the best comes before its equals.
    """
    methods = {method.name: method for method in comparison.methods}

    def order(name: str) -> tuple[bool, bool, bool]:
        method = methods[name]
        return method.shifts_probabilities, not method.is_log_loss, name != best

    return min(level, key=order)


def _why_a_winner(comparison: Comparison, use: str, same: list[str]) -> str:
    reference = comparison.reference
    text = (
        f"Use {use}: its average precision is {comparison.mean(use):.3f} against "
        f"{comparison.mean(reference):.3f} of {reference}, {_gain(comparison, use)}."
    )
    if same:
        text += f" Level with it: {', '.join(same)}."
    (method,) = (method for method in comparison.methods if method.name == use)
    if method.is_focal and method.is_log_loss:
        text += " What helps here is the certified curvature, not the focusing."
    if method.shifts_probabilities:
        text += " Its probabilities are shifted: correct them before you use them."
    return text


def _gain(comparison: Comparison, method: str) -> str:
    found = comparison.difference(method, comparison.reference)
    return (
        f"a difference of {found.mean:+.3f} ({LEVEL:.0%} interval {found.low:+.3f} to "
        f"{found.high:+.3f})"
    )


def _not_judged(comparison: Comparison) -> str:
    """The methods that the verdict does not speak of, and fits that failed."""
    judged = {comparison.reference, *_judged(comparison)}
    absent = [name for name in comparison.names if name not in judged]
    text = f" Not judged: {', '.join(absent)}." if absent else ""
    if len(comparison.constants) == 1:
        text += " A difference needs two folds: give more."
    n_failed = len(comparison.failures)
    if not n_failed:
        return text
    names = dict.fromkeys(fit.method for fit in comparison.failures)
    fits = "fit" if n_failed == 1 else "fits"
    return f"{text} {n_failed} {fits} failed: {', '.join(names)}."
