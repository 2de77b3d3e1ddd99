"""What is measured of one fit."""

from typing import Any, NamedTuple

import numpy as np
from scipy.special import expit, log_expit
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, log_loss, roc_auc_score, roc_curve

from focalboost.diagnostics import reliability
from study.problems import Part, Split

ALERTS = (100, 1000)
FALSE_POSITIVE_RATE = 0.001
RANKING = (
    *("average_precision", "auroc", "recall_at_fpr"),
    *(f"recall_{alerts}" for alerts in ALERTS),
)
#: As the method gives them, with the odds corrected, and fitted to validation rows.
KINDS = ("own", "corrected", "isotonic", "beta")
OF_PROBABILITIES = ("relative_log_loss", "balance", "reliability")
MEASURES = (
    *("validation_log_loss", "validation_average_precision", "prevalence"),
    *RANKING,
    *(f"{measure}_{kind}" for kind in KINDS for measure in OF_PROBABILITIES),
)


class Odds(NamedTuple):
    """The log-odds of the positive class: as a method gives them, and corrected."""

    own: Any
    corrected: Any


class Fit(NamedTuple):
    """What a method gives: log-odds, rounds, and seconds to score one row."""

    valid: Odds
    test: Odds
    rounds: int
    latency: float = float("nan")


def measured(fit: Fit, split: Split) -> dict[str, float]:
    """All measures of a fit."""
    valid, test = split.valid, split.test
    if not all(np.isfinite(odds).all() for odds in (*fit.valid, *fit.test)):
        raise FloatingPointError("predictions that are not finite")
    found = {
        "validation_log_loss": log_loss(valid.y, expit(fit.valid.corrected)),
        "validation_average_precision": average_precision_score(valid.y, fit.valid.own),
        "prevalence": np.average(test.y, weights=test.weight),
        **ranking(test, fit.test.own),
    }
    share = float(split.train.y.mean())
    kinds = {
        "own": expit(fit.test.own),
        "corrected": expit(fit.test.corrected),
        **_calibrated(fit, valid.y),
    }
    for kind, probability in kinds.items():
        for name, value in _of_probabilities(test, probability, share).items():
            found[f"{name}_{kind}"] = value
    return found


def ranking(test: Part, score: Any) -> dict[str, float]:
    """How well a score ranks; tied rows count as in a random order of them."""
    y, weight = test.y, test.weight
    fpr, recall, _ = roc_curve(y, score, sample_weight=weight, drop_intermediate=False)
    weight = np.ones(len(y)) if weight is None else weight
    alerts = fpr * weight[y == 0].sum() + recall * weight[y == 1].sum()
    return {
        "average_precision": average_precision_score(y, score, sample_weight=weight),
        "auroc": roc_auc_score(y, score, sample_weight=weight),
        "recall_at_fpr": np.interp(FALSE_POSITIVE_RATE, fpr, recall),
        **{f"recall_{n}": np.interp(n, alerts, recall) for n in ALERTS},
    }


def _of_probabilities(test: Part, p: Any, share: float) -> dict[str, float]:
    """Log loss in units of the constant's, balance, and reliability."""
    y, weight = test.y, test.weight
    constant = log_loss(y, np.full(len(y), share), sample_weight=weight)
    total = np.average(p, weights=weight) / np.average(y, weights=weight)
    return {
        "relative_log_loss": log_loss(y, p, sample_weight=weight) / constant,
        "balance": total,
        "reliability": reliability(y, p, weight).relative_calibration_error,
    }


def _calibrated(fit: Fit, y: Any) -> dict[str, Any]:
    """Isotonic and beta calibration (Kull et al. 2017) of the validation rows."""
    odds, of_test = fit.valid.own, fit.test.own
    least = 0.5 / len(y)
    isotonic = IsotonicRegression(
        y_min=least, y_max=1 - least, out_of_bounds="clip"
    ).fit(odds, y)
    beta = LogisticRegression(C=1e6, max_iter=1000).fit(_log_parts(odds), y)
    return {
        "isotonic": isotonic.predict(of_test),
        "beta": beta.predict_proba(_log_parts(of_test))[:, 1],
    }


def _log_parts(odds: Any) -> Any:
    return np.column_stack([log_expit(odds), -log_expit(-odds)])
