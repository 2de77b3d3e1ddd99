"""How good a fit is on the test rows, in the measures of the fraud example."""

import sys
from pathlib import Path
from typing import Any

import numpy as np

from quality.fits import Fit

sys.path.append(str(Path(__file__).resolve().parents[2] / "examples"))
from fraud_scores import scores as fraud_scores

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
    ranked, corrected = (
        fraud_scores(y_test, given) for given in (fit.posterior, fit.corrected)
    )
    # Probabilities in float64 may tie at 1 where the log odds do not.
    by_rank = fraud_scores(y_test, _ranks(fit.score))
    status, reason = _status(fit, y, starts_at_constant)
    return {
        "status": status,
        "reason": reason,
        "average_precision": by_rank.average_precision,
        "recall": by_rank.recall,
        "log_loss": ranked.log_loss,
        "corrected_log_loss": corrected.log_loss,
        "brier": ranked.brier,
        "corrected_brier": corrected.brier,
        "n_rounds": fit.n_rounds,
        "point": fit.point,
        "validation_average_precision": fit.average_precision,
    }


def _ranks(score: Any) -> Any:
    """The scores' places in order, from 0 to 1: fraud_scores takes probabilities."""
    values, places = np.unique(score, return_inverse=True)
    return places / max(1, len(values) - 1)


def _status(fit: Fit, y: Any, starts_at_constant: bool) -> tuple[str, str]:
    if np.ptp(fit.score) == 0:
        return "constant", "every row has the same score"
    times = fit.log_loss / constant_log_loss(y)
    if starts_at_constant and times > DIVERGED:
        return "diverged", f"validation log loss {times:.3g} times the constant's"
    return "ok", ""
