"""The statistics of a comparison: scores, paired differences, tests against chance."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import expit
from sklearn.metrics import average_precision_score, brier_score_loss, roc_curve

from focalboost.losses import FocalLoss

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

    Attributes
    ----------
    average_precision : float
        Mean precision at each positive, in the order of the predictions.
    recall : float
        Largest share of positives found at the false-positive rate of the comparison.
    log_loss, brier : float
        Log loss and Brier score of the probabilities that the method gives.
    corrected_log_loss : float
        Log loss of the probabilities without the shift by weights and resampling.
    """

    average_precision: float
    recall: float
    log_loss: float
    corrected_log_loss: float
    brier: float


def scores(
    y_true: NDArray[Any],
    log_odds: NDArray[np.float64],
    odds_factor: float,
    false_positive_rate: float,
    sample_weight: NDArray[np.float64] | None = None,
) -> Scores:
    """Score log-odds. The log losses are exact: no probability is clipped."""
    y = np.asarray(y_true)
    weights: dict[str, Any] = {"sample_weight": sample_weight}
    rates, recall, _ = roc_curve(y, log_odds, drop_intermediate=False, **weights)
    return Scores(
        average_precision=float(average_precision_score(y, log_odds, **weights)),
        recall=float(recall[rates <= false_positive_rate].max()),
        log_loss=_log_loss(y, log_odds, sample_weight),
        corrected_log_loss=_log_loss(y, log_odds - np.log(odds_factor), sample_weight),
        brier=float(brier_score_loss(y, expit(log_odds), **weights)),
    )


def chance(
    y_true: NDArray[Any],
    prevalence: float,
    false_positive_rate: float,
    sample_weight: NDArray[np.float64] | None = None,
) -> Scores:
    """The expected scores of a constant: a random order, and the prevalence."""
    y = np.asarray(y_true)
    n_rows, n_positive = len(y), int(y.sum())
    share = float(np.average(y, weights=sample_weight))
    by_chance = expected_average_precision(n_rows, n_positive)
    constant = np.full(n_rows, np.log(prevalence) - np.log1p(-prevalence))
    return replace(
        scores(y, constant, 1.0, false_positive_rate, sample_weight),
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
    average_precision: float, sizes: Sequence[tuple[int, int]], random_state: int = 0
) -> float:
    """The share of random orders with at least this average precision over the folds.

    ``sizes`` holds the rows and the positives of each fold. If features and labels are
    unrelated, every order of the test rows is equally likely. The test needs no
    assumption on how folds differ. A t-test on few folds would hardly ever reject.
    """
    drawn = _means_of_random_orders(tuple(sizes), random_state)
    return float(1 + np.sum(drawn >= average_precision)) / (1 + N_DRAWS)


@lru_cache(maxsize=4)  # the methods of a comparison have the same folds
def _means_of_random_orders(
    sizes: tuple[tuple[int, int], ...], random_state: int
) -> NDArray[np.float64]:
    rng = np.random.default_rng(random_state)
    return np.asarray(np.mean([_drawn(rng, *size) for size in sizes], axis=0))


def _drawn(
    rng: np.random.Generator, n_rows: int, n_positive: int
) -> NDArray[np.float64]:
    """Average precisions of random orders, from random ranks of the positives."""
    found = np.arange(1, n_positive + 1)
    values = np.empty(N_DRAWS)
    for draw in range(N_DRAWS):
        ranks = rng.choice(n_rows, n_positive, replace=False, shuffle=False)
        ranks.sort()
        values[draw] = (found / (1 + ranks)).sum()
    return values / n_positive


@dataclass(frozen=True)
class Difference:
    """A mean difference over folds.

    Attributes
    ----------
    mean : float
        Mean difference. It is NaN if fewer than two folds have both scores.
    low, high : float
        95 % interval of this difference alone.
    p_value : float
        Two-sided p-value of no difference, NaN with the mean.
    n_folds : int
        Number of folds with both scores.
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
    half = float(stats.t.ppf((1 + LEVEL) / 2, n_folds - 1)) * spread
    p_value = 2 * float(stats.t.sf(abs(mean) / spread, n_folds - 1))
    return Difference(mean, mean - half, mean + half, p_value, n_folds)


def holm(p_values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The p-values adjusted for their number (Holm 1979). NaN is none of them."""
    order = np.argsort(p_values)  # NaN comes last
    n_tests = int(np.isfinite(p_values).sum())
    scaled = p_values[order] * np.maximum(n_tests - np.arange(len(p_values)), 1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1)
    return adjusted


def _log_loss(
    y: NDArray[Any],
    log_odds: NDArray[np.float64],
    sample_weight: NDArray[np.float64] | None,
) -> float:
    losses = FocalLoss(gamma=0).loss(y, log_odds)
    return float(np.average(np.asarray(losses), weights=sample_weight))
