"""Warns where a host starts from a constant that wastes rounds or stalls training."""

import warnings
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from scipy.special import expit

from focalboost.losses import FocalLoss
from focalboost.objectives._grammar import Arguments, DataSet, is_from

__all__ = ["warn_of_poor_start"]

#: A start is poor if its loss exceeds the best constant's by more than a tenth: the
#: first rounds then move all rows together instead of telling them apart.
TOLERATED_EXCESS = 1.1

#: XGBoost's margin if no objective is named beside obj=: base_score without a link.
XGBOOST_MARGIN_WITHOUT_OBJECTIVE = 0.5

#: The losses whose start has been warned of, for each data set that lives: a model that
#: stays a constant would be warned of in every round.
_warned: WeakKeyDictionary[DataSet, set[FocalLoss]] = WeakKeyDictionary()

#: The same for the scikit-learn call, which shows no data set but its baseline.
_warned_baselines: set[tuple[FocalLoss, float]] = set()


def warn_of_poor_start(loss: FocalLoss, arguments: Arguments) -> None:
    """Warn if all raw predictions are one constant far from the best one."""
    y_true, raw, sample_weight, data_set = arguments
    start = _constant(raw)
    if start is None or np.shape(y_true) != np.shape(raw):
        return
    masses = loss.class_masses(y_true, sample_weight)
    if min(masses) <= 0:
        return
    best = loss.baseline_of_masses(*masses)
    excess = _risk(loss, start, masses) / _risk(loss, best, masses)
    no_objective = start == XGBOOST_MARGIN_WITHOUT_OBJECTIVE and is_from(
        "xgboost", data_set
    )
    if (excess > TOLERATED_EXCESS or no_objective) and _is_first(loss, best, data_set):
        warnings.warn(
            f"Training starts from raw prediction {start:.6g}, but the constant with "
            f"the smallest focal loss is {best:.6g}. {_remedy(best, data_set)}",
            UserWarning,
            stacklevel=3,
        )


def _is_first(loss: FocalLoss, best: float, data_set: DataSet | None) -> bool:
    """Whether this loss on this data has not been warned of yet."""
    if data_set is None:
        first = (loss, best) not in _warned_baselines
        _warned_baselines.add((loss, best))
        return first
    losses = _warned.setdefault(data_set, set())
    first = loss not in losses
    losses.add(loss)
    return first


def _constant(raw: Any) -> float | None:
    """The value of all raw predictions, if they are equal; ends are looked at first."""
    flat = np.ravel(raw)
    if flat.size == 0 or flat[0] != flat[-1] or not (flat == flat[0]).all():
        return None
    return float(flat[0])


def _risk(loss: FocalLoss, constant: float, masses: tuple[float, float]) -> float:
    """The total loss of a constant raw prediction."""
    values = loss.loss(np.array([1.0, 0.0]), np.full(2, constant), np.array(masses))
    return float(values.sum())


def _remedy(best: float, data_set: Any) -> str:
    """What to type, in the words of the host that has called."""
    score = f"{expit(best):.6g}"
    if is_from("xgboost", data_set):
        return (
            f'Add {{"objective": "binary:logistic", "base_score": {score}}} to params, '
            "or call focalboost.xgboost.train."
        )
    if is_from("lightgbm", data_set):
        return (
            f"Call train_set.set_init_score(np.full(train_set.num_data(), {best:.6g})),"
            " the same for every validation set, and add it to predictions, or call "
            "focalboost.lightgbm.train, which does all three."
        )
    return (
        f"Use XGBClassifier(base_score={score}, ...) or LGBMClassifier.fit(..., "
        f"init_score=np.full(len(y), {best:.6g})), or FocalXGBClassifier or "
        "FocalLGBMClassifier, which set it."
    )
