"""How good a ranking and its probabilities are, where positives are rare."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.metrics import average_precision_score, brier_score_loss, roc_curve

from focalboost.diagnostics._chance import expected_average_precision
from focalboost.losses import FocalLoss

__all__ = ["CONSTANT", "METRICS", "Scores", "chance", "recall_at", "scores"]

#: What methods are compared with besides each other: a random order, the prevalence.
CONSTANT = "a constant"

#: Whether larger is better.
METRICS = {
    "average_precision": True,
    "recall": True,
    "log_loss": False,
    "corrected_log_loss": False,
    "brier": False,
}


@dataclass(frozen=True)
class Scores:
    """Larger is better in the first two, smaller in the others.

    Attributes
    ----------
    average_precision : float
        Mean precision at each positive in the order of the scores.
    recall : float
        Share of positives found at the false-positive rate of the comparison.
    log_loss, brier : float
        Of the probabilities as the method gives them.
    corrected_log_loss : float
        Of the probabilities without what weights and resampling do to the odds.
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
    """Judge log-odds; the log losses are those of the exact ones, not clipped."""
    y = np.asarray(y_true)
    weights: dict[str, Any] = {"sample_weight": sample_weight}
    return Scores(
        float(average_precision_score(y, log_odds, **weights)),
        recall_at(false_positive_rate, y, log_odds, sample_weight),
        _log_loss(y, log_odds, sample_weight),
        _log_loss(y, log_odds - np.log(odds_factor), sample_weight),
        float(brier_score_loss(y, expit(log_odds), **weights)),
    )


def recall_at(
    false_positive_rate: float,
    y_true: NDArray[Any],
    score: NDArray[np.float64],
    sample_weight: NDArray[np.float64] | None = None,
) -> float:
    """The most that is found while at most this share of negatives are alerts."""
    curve = roc_curve(
        y_true, score, sample_weight=sample_weight, drop_intermediate=False
    )
    false_positives, recall, _ = curve
    return float(recall[false_positives <= false_positive_rate].max())


def chance(
    y_true: NDArray[Any],
    prevalence: float,
    false_positive_rate: float,
    sample_weight: NDArray[np.float64] | None = None,
) -> Scores:
    """What to expect of a constant: a random order, and the prevalence for all rows."""
    y = np.asarray(y_true)
    n_rows, n_positive = len(y), int(y.sum())
    by_chance = expected_average_precision(n_rows, n_positive)
    share = float(np.average(y, weights=sample_weight))
    constant = np.full(n_rows, np.log(prevalence) - np.log1p(-prevalence))
    judged = scores(y, constant, 1.0, false_positive_rate, sample_weight)
    return Scores(
        by_chance * share * n_rows / n_positive,
        false_positive_rate,
        judged.log_loss,
        judged.log_loss,
        judged.brier,
    )


def _log_loss(
    y: NDArray[Any],
    log_odds: NDArray[np.float64],
    sample_weight: NDArray[np.float64] | None,
) -> float:
    of_rows = FocalLoss(gamma=0).loss(y, log_odds)
    return float(np.average(np.asarray(of_rows), weights=sample_weight))
