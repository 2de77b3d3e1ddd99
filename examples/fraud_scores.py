"""How good a ranking and its probabilities are, where alerts are few."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    log_loss,
    roc_curve,
)

FALSE_POSITIVE_RATE = 0.001


@dataclass(frozen=True)
class Scores:
    """Larger is better in the first four, smaller in the last two."""

    average_precision: float
    recall: float
    precision_100: float
    precision_1000: float
    log_loss: float
    brier: float


def scores(y_true: NDArray[np.int8], posterior: NDArray[np.float64]) -> Scores:
    """Judge the probabilities given to the test part."""
    return Scores(
        average_precision=average_precision_score(y_true, posterior),
        recall=_recall(y_true, posterior),
        precision_100=_alert_precision(y_true, posterior, 100),
        precision_1000=_alert_precision(y_true, posterior, 1000),
        log_loss=log_loss(y_true, posterior, labels=[0, 1]),
        brier=brier_score_loss(y_true, posterior),
    )


def _recall(y_true: NDArray[np.int8], posterior: NDArray[np.float64]) -> float:
    """The most that is found while FALSE_POSITIVE_RATE of the negatives are alerts."""
    curve = roc_curve(y_true, posterior, drop_intermediate=False)
    false_positive_rate, recall, _ = curve
    return float(recall[false_positive_rate <= FALSE_POSITIVE_RATE].max())


def _alert_precision(
    y_true: NDArray[np.int8], posterior: NDArray[np.float64], n_alerts: int
) -> float:
    """Expected precision of the top alerts if ties are broken at random."""
    n_alerts = min(n_alerts, y_true.size)
    last = np.partition(posterior, -n_alerts)[-n_alerts]
    above, tied = y_true[posterior > last], y_true[posterior == last]
    return float(above.sum() + (n_alerts - above.size) * tied.mean()) / n_alerts
