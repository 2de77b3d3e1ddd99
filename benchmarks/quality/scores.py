"""How good a fit is on the test rows."""

from typing import Any

import numpy as np
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    log_loss,
    roc_curve,
)

from quality.fits import Fit

#: The share of the negatives with an alert at which the recall is measured.
FALSE_POSITIVE_RATE = 0.001

#: A log loss of so many times the constant's is a training that went wrong.
DIVERGED = 2.0


def constant_log_loss(y: Any) -> float:
    """The log loss of the share of positives among these labels."""
    share = float(np.mean(y))
    return -share * np.log(share) - (1 - share) * np.log1p(-share)


def judged(
    fit: Fit, y: Any, y_test: Any, starts_at_constant: bool
) -> dict[str, float | str]:
    """The columns of the table of fits that say how good it is, and its status."""
    if not fit.is_finite:
        return {"status": "diverged", "reason": "predictions that are not finite"}
    status, reason = _status(fit, y, starts_at_constant)
    return {
        "status": status,
        "reason": reason,
        # Probabilities in float64 may tie at 1 where the log odds do not.
        "average_precision": average_precision_score(y_test, fit.score),
        "recall": _recall(y_test, fit.score),
        "log_loss": log_loss(y_test, fit.posterior, labels=[0, 1]),
        "corrected_log_loss": log_loss(y_test, fit.corrected, labels=[0, 1]),
        "brier": brier_score_loss(y_test, fit.posterior),
        "corrected_brier": brier_score_loss(y_test, fit.corrected),
        "n_rounds": fit.n_rounds,
        "point": fit.point,
        "validation_average_precision": fit.average_precision,
    }


def _recall(y_test: Any, score: Any) -> float:
    """The most that is found while at most this share of negatives are alerts."""
    false_positives, recall, _ = roc_curve(y_test, score, drop_intermediate=False)
    return float(recall[false_positives <= FALSE_POSITIVE_RATE].max())


def _status(fit: Fit, y: Any, starts_at_constant: bool) -> tuple[str, str]:
    if np.ptp(fit.score) == 0:
        return "constant", "every row has the same score"
    times = fit.log_loss / constant_log_loss(y)
    if starts_at_constant and times > DIVERGED:
        return "diverged", f"validation log loss {times:.3g} times the constant's"
    return "ok", ""
