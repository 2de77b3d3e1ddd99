"""The result of a comparison: scores, paired differences, and the verdict."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import expit
from sklearn.metrics import average_precision_score, brier_score_loss, roc_curve

from focalboost._hosts._imports import data_frame
from focalboost._validation import one_of
from focalboost.comparison._methods import Method
from focalboost.losses import FocalLoss

Floats = NDArray[np.float64]

#: The name of the constant that methods are compared with: it ranks rows at random,
#: and gives every row the prevalence.
CONSTANT = "a constant"

#: The scores, and their names in tables and plots.
METRICS = {
    "average_precision": "average precision",
    "recall": "recall",
    "log_loss": "log loss",
    "corrected_log_loss": "log loss, corrected",
    "brier": "Brier score",
}

#: Level of all intervals. 1 - LEVEL is the level of all tests together.
LEVEL = 0.95

#: Number of random orders. The smallest p-value is about 1 / N_DRAWS.
N_DRAWS = 2000


@dataclass(frozen=True)
class Scores:
    """The scores of a ranking and its probabilities.

    They are the mean precision at each positive, the largest share of positives found
    at the false-positive rate of the comparison, the log loss and the Brier score of
    the probabilities that the method gives, and the log loss without the shift by
    weights and resampling.
    """

    average_precision: float
    recall: float
    log_loss: float
    corrected_log_loss: float
    brier: float


def scores(
    y_true: NDArray[Any],
    log_odds: Floats,
    odds_factor: float,
    false_positive_rate: float,
    sample_weight: Floats | None = None,
) -> Scores:
    """Score log-odds. The log losses are exact: no probability is clipped."""
    weights: dict[str, Any] = {"sample_weight": sample_weight}
    rates, recall, _ = roc_curve(y_true, log_odds, drop_intermediate=False, **weights)

    def log_loss(log_odds: Floats) -> float:
        losses = np.asarray(FocalLoss(gamma=0).loss(y_true, log_odds))
        return float(np.average(losses, weights=sample_weight))

    return Scores(
        average_precision=float(average_precision_score(y_true, log_odds, **weights)),
        recall=float(recall[rates <= false_positive_rate].max()),
        log_loss=log_loss(log_odds),
        corrected_log_loss=log_loss(log_odds - np.log(odds_factor)),
        brier=float(brier_score_loss(y_true, expit(log_odds), **weights)),
    )


def chance(
    y_true: NDArray[Any],
    prevalence: float,
    false_positive_rate: float,
    sample_weight: Floats | None = None,
) -> Scores:
    """The expected scores of a constant: a random order, and the prevalence."""
    n_rows, n_positive = len(y_true), int(y_true.sum())
    share = float(np.average(y_true, weights=sample_weight))
    by_chance = expected_average_precision(n_rows, n_positive)
    constant = np.full(n_rows, np.log(prevalence) - np.log1p(-prevalence))
    return replace(
        scores(y_true, constant, 1.0, false_positive_rate, sample_weight),
        average_precision=by_chance * share * n_rows / n_positive,
        recall=false_positive_rate,
    )


def expected_average_precision(n_rows: int, n_positive: int) -> float:
    """The average precision of a random order, on average over all orders.

    It is (H_n + (n - H_n) (R - 1) / (n - 1)) / n for n rows, R of them positive, with
    the harmonic number H_n (Bestgen, *Exact Expected Average Precision of the Random
    Baseline*, 2015). It is larger than R / n, above all for few positives.
    """
    harmonic = float(np.sum(1 / np.arange(1, n_rows + 1)))
    others = (n_rows - harmonic) * (n_positive - 1) / (n_rows - 1)
    return (harmonic + others) / n_rows


def p_value_above_chance(
    average_precision: float, sizes: Sequence[tuple[int, int]]
) -> float:
    """The share of random orders with at least this average precision over the folds.

    ``sizes`` holds the rows and the positives of each fold. If features and labels are
    unrelated, every order of the test rows is equally likely. The test needs no
    assumption on how folds differ. A t-test on few folds would hardly ever reject.
    """
    drawn = _random_orders(tuple(sizes))
    return float(1 + np.sum(drawn >= average_precision)) / (1 + N_DRAWS)


@lru_cache(maxsize=4)  # the methods of a comparison have the same folds
def _random_orders(sizes: tuple[tuple[int, int], ...]) -> Floats:
    """Average precisions of random orders, each a mean over the folds."""
    rng = np.random.default_rng(0)
    drawn = np.empty((len(sizes), N_DRAWS))
    for fold, (n_rows, n_positive) in enumerate(sizes):
        found = np.arange(1, n_positive + 1)
        for draw in range(N_DRAWS):
            ranks = rng.choice(n_rows, n_positive, replace=False, shuffle=False)
            ranks.sort()
            drawn[fold, draw] = (found / (1 + ranks)).sum()
        drawn[fold] /= n_positive
    return np.asarray(drawn.mean(axis=0))


@dataclass(frozen=True)
class Difference:
    """A mean difference over the folds with both scores, and its 95 % interval.

    ``p_value`` is the two-sided p-value of no difference. With fewer than two folds
    all but ``n_folds`` are NaN.
    """

    mean: float
    low: float
    high: float
    p_value: float
    n_folds: int


def paired_difference(
    values: Floats, reference: Floats, test_per_train: float
) -> Difference:
    """The mean of values - reference, by the corrected resampled t-test.

    The training sets of the folds overlap, so the differences are not independent. The
    variance of the mean is s**2 (1 / J + n_test / n_train) in place of s**2 / J
    (Nadeau & Bengio, *Inference for the Generalization Error*, 2003).
    """
    differences = (values - reference)[np.isfinite(values - reference)]
    n_folds = len(differences)
    if n_folds < 2:
        return Difference(np.nan, np.nan, np.nan, np.nan, n_folds)
    mean = float(differences.mean())
    spread = float(differences.std(ddof=1)) * np.sqrt(1 / n_folds + test_per_train)
    if spread == 0:
        return Difference(mean, mean, mean, float(mean == 0), n_folds)
    low, high = map(float, stats.t.interval(LEVEL, n_folds - 1, mean, spread))
    p_value = 2 * float(stats.t.sf(abs(mean) / spread, n_folds - 1))
    return Difference(mean, low, high, p_value, n_folds)


def holm(p_values: Floats) -> Floats:
    """The p-values adjusted for their number (Holm 1979). NaN is none of them."""
    order = np.argsort(p_values)  # NaN comes last
    n_tests = int(np.isfinite(p_values).sum())
    scaled = p_values[order] * np.maximum(n_tests - np.arange(len(p_values)), 1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1)
    return adjusted


@dataclass(frozen=True, eq=False)
class Fit:
    """A method on one fold: its scores on the test rows, or why it failed."""

    method: str
    fold: int
    scores: Scores | None = None
    error: str | None = None
    warnings: tuple[str, ...] = ()  #: of the host and of the estimator
    params: dict[str, Any] | None = None  #: the best grid point
    n_rounds: int = 0
    seconds: float = 0.0  #: wall time of the whole search
    odds_factor: float = 1.0  #: by which the odds of a positive are multiplied
    log_odds: NDArray[np.float32] | None = None  #: logit of the probability, test rows


@dataclass(frozen=True)
class Verdict:
    """The name of the method to use, None for a constant, and the reasons in words."""

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
    sample_weight: Floats | None
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
        counts = {name: np.isfinite(self.values(name)).sum() for name in self.names}
        return max(self.names, key=lambda name: min(counts[name], 2))

    def values(self, method: str, metric: str = "average_precision") -> Floats:
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
        p_values = []
        for name in self.names:
            log_odds, found, sizes = self.log_odds[name], [], []
            for test in self.first_tests.values():
                if np.isfinite(log_odds[test]).all():
                    y = self.y_true[test]
                    found.append(average_precision_score(y, log_odds[test]))
                    sizes.append((len(y), int(y.sum())))
            mean = float(np.mean(found)) if found else np.nan
            p_values.append(p_value_above_chance(mean, sizes) if found else np.nan)
        return dict(zip(self.names, holm(np.array(p_values)).tolist(), strict=True))

    @property
    def verdict(self) -> Verdict:
        """What to use: a constant, the reference, or what is better beyond chance."""
        return _verdict(self)

    def to_pandas(self) -> Any:
        """Return a DataFrame with one row for each method and fold."""
        no_scores = dict.fromkeys(METRICS, np.nan)
        return data_frame(
            {
                "method": fit.method,
                "fold": fit.fold,
                **(asdict(fit.scores) if fit.scores else no_scores),
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
        return data_frame(summary(self))


def summary(comparison: Comparison) -> list[dict[str, Any]]:
    """The means of each method and of a constant, and differences to the reference."""
    reference, rows = comparison.reference, []
    p_values = comparison.adjusted_p_values(reference)
    for name in (*comparison.names, CONSTANT):
        row: dict[str, Any] = {"method": name}
        row |= {metric: comparison.mean(name, metric) for metric in METRICS}
        if name in p_values:
            found = comparison.difference(name, reference)
            row |= {"difference": found.mean, "low": found.low, "high": found.high}
            row["p"] = p_values[name]
        row["failed"] = sum(fit.method == name for fit in comparison.failures)
        rows.append(row)
    return rows


def _verdict(comparison: Comparison) -> Verdict:
    reference = comparison.reference
    p_values = comparison.adjusted_p_values(reference)
    useful, beyond = (
        [name for name, p_value in tests.items() if p_value < 1 - LEVEL]
        for tests in (comparison.p_values_above_chance(), p_values)
    )
    differences = {name: comparison.difference(name, reference) for name in p_values}
    better = [name for name in beyond if name in useful and differences[name].mean > 0]
    use = None
    if not useful:
        text = (
            "Use no model: nothing here is better than a constant. No average "
            "precision is above the mean of random orders, "
            f"{comparison.mean(CONSTANT):.4f}, beyond chance. Look for features that "
            "separate the classes, or for more positives."
        )
    elif not better and reference in useful:
        use, text = reference, _why_the_reference(comparison, differences, beyond)
    else:
        better = better or [max(useful, key=comparison.mean)]
        best, level = _best_of(comparison, better)
        use = best.name
        text = _why_another(comparison, best, level, differences[use])
        if reference not in useful:
            text += f" The ranking of {reference} is chance."
    return Verdict(use, text + _not_judged(comparison, differences))


def _best_of(comparison: Comparison, names: list[str]) -> tuple[Method, list[str]]:
    """The method to use, and the names of those that are level with it."""
    best = max(names, key=comparison.mean)
    level = [
        one
        for one in comparison.methods
        if one.name == best
        or (one.name in names and comparison.difference(one.name, best).high >= 0)
    ]
    # What keeps probabilities comes first, then log loss, then the best.
    use = min(
        level, key=lambda m: (m.shifts_probabilities, not m.is_log_loss, m.name != best)
    )
    return use, [one.name for one in level if one is not use]


def _why_another(
    comparison: Comparison, use: Method, level: list[str], gain: Difference
) -> str:
    mean, reference = comparison.mean, comparison.reference
    text = (
        f"Use {use.name}: its average precision is {mean(use.name):.3f} against "
        f"{mean(reference):.3f} of {reference}, {_in_words(gain)}."
    )
    if level:
        text += f" Level with it: {', '.join(level)}."
    if use.is_focal and use.is_log_loss:
        text += " What helps here is the certified curvature, not the focusing."
    if use.shifts_probabilities:
        text += " Its probabilities are shifted: correct them before you use them."
    return text


def _why_the_reference(
    comparison: Comparison, differences: dict[str, Difference], beyond: list[str]
) -> str:
    reference = comparison.reference
    others = [name for name, found in differences.items() if np.isfinite(found.mean)]
    if not others:
        return f"Use {reference}, the only method that is judged."
    text = f"Use {reference}: no other method is better beyond chance."
    ahead = [name for name in others if differences[name].mean > 0]
    if ahead:
        best = max(ahead, key=comparison.mean)
        text += f" {best} has the highest mean, {_in_words(differences[best])}."
    worse = [name for name in beyond if differences[name].mean < 0]
    if worse:
        text += f" Worse beyond chance: {', '.join(worse)}."
    return text


def _in_words(found: Difference) -> str:
    return (
        f"a difference of {found.mean:+.3f} ({LEVEL:.0%} interval {found.low:+.3f} to "
        f"{found.high:+.3f})"
    )


def _not_judged(comparison: Comparison, differences: dict[str, Difference]) -> str:
    """The methods that the verdict does not speak of, and fits that failed."""
    text = ""
    without = [name for name, found in differences.items() if np.isnan(found.mean)]
    if without:
        needed = "a difference needs two folds without a failure"
        text += f" This is no verdict on {', '.join(without)}: {needed}."
    counts = Counter(fit.method for fit in comparison.failures)
    if counts:
        fits = "fit" if counts.total() == 1 else "fits"
        text += f" {counts.total()} {fits} failed: {', '.join(counts)}."
    return text
