"""Warns where a host starts from a constant that wastes rounds or stalls training."""

import warnings
from functools import lru_cache
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from focalboost.losses import FocalLoss, Loss, SoftmaxFocalLoss
from focalboost.objectives._grammar import Arguments, DataSet, is_from

__all__ = ["warn_of_poor_base_score", "warn_of_poor_start"]

#: A start is poor if its loss exceeds the best constant's by more than a tenth: the
#: first rounds then move all rows together instead of telling them apart.
TOLERATED_EXCESS = 1.1

#: XGBoost's margin if no objective is named beside obj=: base_score without a link.
XGBOOST_MARGIN_WITHOUT_OBJECTIVE = 0.5

#: The losses whose start has been warned of, for each data set that lives, until raw
#: predictions differ: a model that stays a constant would be warned of in every round.
_warned: WeakKeyDictionary[DataSet, set[Loss]] = WeakKeyDictionary()


@lru_cache(maxsize=256)
def _warned_of(loss: Loss, baseline: str) -> set[Loss]:
    """The same for the scikit-learn call, which shows no data set but its baseline."""
    return set()


def warn_of_poor_start(loss: Loss, arguments: Arguments) -> None:
    """Warn if all raw predictions are one constant far from the best one."""
    y_true, raw, sample_weight, data_set = arguments
    start = _constant(np.asarray(raw))
    if start is None:
        _forget(data_set)
        return
    masses: Any = loss.class_masses(y_true, sample_weight)
    if np.min(masses) <= 0:
        return
    if not (_is_poor(loss, start, masses) or _lacks_objective(loss, start, data_set)):
        return
    best = np.asarray(loss.baseline(y_true, sample_weight))
    if _is_first(loss, best, data_set):
        warnings.warn(
            f"{_contrast(start, best)} {_remedy(loss, best, data_set)}",
            UserWarning,
            stacklevel=3,
        )


def warn_of_poor_base_score(
    loss: Loss, start: NDArray[np.float64], y_true: Any, sample_weight: Any
) -> None:
    """Warn if the raw prediction of a base_score is far from the best constant."""
    masses: Any = loss.class_masses(y_true, sample_weight)
    if np.min(masses) <= 0:
        return
    best = np.asarray(loss.baseline(y_true, sample_weight))
    if start.size not in (1, best.size) or not np.all(np.isfinite(start)):
        return
    start = np.broadcast_to(start.ravel(), best.size).reshape(best.shape)
    if _is_poor(loss, start, masses):
        warnings.warn(
            f"{_contrast(start, best)} Leave base_score out: it is set to that.",
            UserWarning,
            stacklevel=4,
        )


def _is_poor(loss: Loss, start: Any, masses: Any) -> bool:
    """Whether a constant wastes rounds or stalls training."""
    # Both losses may be 0: a large gamma and small weights underflow together.
    tolerated = TOLERATED_EXCESS * loss.best_constant_loss(masses)
    return bool(loss.constant_loss(start, masses) > tolerated)


def _contrast(start: Any, best: NDArray[Any]) -> str:
    return (
        f"Training starts from raw prediction {_shown(start)}, but the constant with "
        f"the smallest focal loss is {_shown(best)}."
    )


def _lacks_objective(loss: Loss, start: Any, data_set: DataSet | None) -> bool:
    """Whether XGBoost was given obj= alone, and would predict raw numbers."""
    margin = XGBOOST_MARGIN_WITHOUT_OBJECTIVE
    is_margin = isinstance(loss, FocalLoss) and bool(np.all(start == margin))
    return is_margin and is_from("xgboost", data_set)


def _is_first(loss: Loss, best: NDArray[Any], data_set: DataSet | None) -> bool:
    """Whether this loss on this data has not been warned of yet."""
    if data_set is None:
        losses = _warned_of(loss, str(best))
    else:
        losses = _warned.setdefault(data_set, set())
    first = loss not in losses
    losses.add(loss)
    return first


def _forget(data_set: DataSet | None) -> None:
    """A model that has left the constant: the next constant starts another training."""
    if data_set is None:
        _warned_of.cache_clear()
    else:
        _warned.pop(data_set, None)


def _constant(raw: NDArray[Any]) -> Any:
    """The raw prediction of all rows, if it is one; the ends are looked at first."""
    if raw.size == 0 or np.any(raw[0] != raw[-1]) or not (raw == raw[0]).all():
        return None
    return raw[0]


def _shown(constant: Any) -> str:
    """A constant to six digits, as it can be typed; -0 is 0."""
    digits = [f"{value + 0.0:.6g}" for value in np.ravel(constant)]
    return digits[0] if np.ndim(constant) == 0 else f"[{', '.join(digits)}]"


def _remedy(loss: Loss, best: NDArray[Any], data_set: Any) -> str:
    """What to type, in the words of the host that has called."""
    if isinstance(loss, SoftmaxFocalLoss):
        score, objective = _shown(best), f'"multi:softprob", "num_class": {len(best)}'
    else:
        score, objective = _shown(expit(best)), '"binary:logistic"'
    if is_from("xgboost", data_set):
        return (
            f'Add {{"objective": {objective}, "base_score": {score}}} to params, or '
            "call focalboost.xgboost.train."
        )
    if is_from("lightgbm", data_set):
        return (
            f"Call train_set.set_init_score({_rows(best, 'train_set.num_data()')}), "
            "the same for every validation set, and add it to predictions, or call "
            "focalboost.lightgbm.train, which does all three."
        )
    return (
        f"Use XGBClassifier(base_score={score}, ...) or LGBMClassifier.fit(..., "
        f"init_score={_rows(best, 'len(y)')}), or FocalXGBClassifier or "
        "FocalLGBMClassifier, which set it."
    )


def _rows(best: NDArray[Any], length: str) -> str:
    """The constant for every row, as it can be typed."""
    if best.ndim == 0:
        return f"np.full({length}, {_shown(best)})"
    return f"np.tile({_shown(best)}, ({length}, 1))"
