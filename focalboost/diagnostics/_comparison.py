"""The result of a comparison: scores by method and fold, differences, verdict."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from focalboost._validation import one_of
from focalboost.diagnostics._chance import p_value_above_chance
from focalboost.diagnostics._frames import data_frame
from focalboost.diagnostics._journal import Fit
from focalboost.diagnostics._methods import Method
from focalboost.diagnostics._paired import Difference, holm, paired_difference
from focalboost.diagnostics._scores import CONSTANT, METRICS, Scores
from focalboost.diagnostics._verdict import Verdict, verdict

__all__ = ["Comparison"]


@dataclass(frozen=True, eq=False)
class Comparison:
    """Every method on every fold, failures among them.

    Attributes
    ----------
    methods : tuple of Method
        In the order given; the first is what the others are compared with.
    fits : tuple of Fit
        One for each method and fold.
    constants : tuple of Scores
        What to expect of a constant, on each fold.
    settings : Mapping of str to object
        Host, its version, grid, folds, seed and all else that was the same.
    first_tests : Mapping of int to ndarray of int
        The test rows of those folds of which no row is a test row of an earlier one.
    test_per_train : float
        Test rows for each training row of a fold, on average.
    y_true : ndarray of shape (n_samples,)
        The labels, 1 for the later in order.
    sample_weight : ndarray of shape (n_samples,), or None
        The weights of the rows.
    log_odds : Mapping of str to ndarray of shape (n_samples,)
        By method, the logit of the probability that it gives to the rows of
        ``first_tests``; NaN for rows without a prediction.
    """

    __module__ = "focalboost.diagnostics"

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
        """The first method that has not failed on all folds but one."""
        for name in self.names:
            if np.isfinite(self.values(name)).sum() >= 2:
                return name
        return self.names[0]

    def values(
        self, method: str, metric: str = "average_precision"
    ) -> NDArray[np.float64]:
        """Return the scores of a method on each fold, NaN where it failed.

        ``method`` may be "a constant", and ``metric`` one of "average_precision",
        "recall", "log_loss", "corrected_log_loss" and "brier".
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
        """Return the mean over the folds that did not fail; NaN if all did."""
        values = self.values(method, metric)
        present = values[np.isfinite(values)]
        return float(present.mean()) if present.size else float("nan")

    def difference(
        self, method: str, other: str, metric: str = "average_precision"
    ) -> Difference:
        """Return method minus other over the folds that both have, with interval."""
        values, others = self.values(method, metric), self.values(other, metric)
        return paired_difference(values, others, self.test_per_train)

    def adjusted_p_values(
        self, other: str, metric: str = "average_precision"
    ) -> dict[str, float]:
        """Return p-values of every difference to another, adjusted for their number."""
        names = [name for name in self.names if name != other]
        given = [self.difference(name, other, metric).p_value for name in names]
        adjusted = holm(np.asarray(given)).tolist()
        return dict(zip(names, adjusted, strict=True))

    def p_values_above_chance(self) -> dict[str, float]:
        """Return p-values of every ranking against random ones, adjusted likewise.

        They are of the first test of every row, as all repetitions have the same
        labels; weights of the rows do not enter.
        """
        rows = tuple(self.first_tests.values())
        sizes = [(len(test), int(self.y_true[test].sum())) for test in rows]

        def p_value(name: str) -> float:
            log_odds = self.log_odds[name]
            if any(np.isnan(log_odds[test]).any() for test in rows):
                return 1.0
            found = [
                average_precision_score(self.y_true[test], log_odds[test])
                for test in rows
            ]
            return p_value_above_chance(float(np.mean(found)), sizes)

        adjusted = holm(np.array([p_value(name) for name in self.names])).tolist()
        return dict(zip(self.names, adjusted, strict=True))

    @property
    def verdict(self) -> Verdict:
        """What to use, and why."""
        return verdict(self)

    def to_pandas(self) -> Any:
        """Return a DataFrame with one line for each method and fold."""
        return data_frame(
            [
                {
                    "method": fit.method,
                    "fold": fit.fold,
                    **_scores(fit),
                    "rounds": fit.n_rounds,
                    "seconds": fit.seconds,
                    "params": fit.params,
                    "warnings": "; ".join(fit.warnings),
                    "error": fit.error,
                }
                for fit in self.fits
            ]
        )

    def summary_to_pandas(self) -> Any:
        """Return a DataFrame with one line for each method, means over the folds.

        Differences are those of the average precision to the reference, with their
        95 % interval and a p-value adjusted for the number of methods.
        """
        adjusted = self.adjusted_p_values(self.reference)
        return data_frame(
            [
                {
                    "method": name,
                    **{metric: self.mean(name, metric) for metric in METRICS},
                    **self._against_reference(name, adjusted),
                    "failed": sum(fit.method == name for fit in self.failures),
                }
                for name in (*self.names, CONSTANT)
            ]
        )

    def _against_reference(
        self, name: str, adjusted: Mapping[str, float]
    ) -> dict[str, float]:
        if name in (self.reference, CONSTANT):
            return {}
        found = self.difference(name, self.reference)
        return {
            "difference": found.mean,
            "low": found.low,
            "high": found.high,
            "p": adjusted[name],
        }


def _scores(fit: Fit) -> dict[str, float]:
    return dict.fromkeys(METRICS, np.nan) if fit.scores is None else asdict(fit.scores)
