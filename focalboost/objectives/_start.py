"""Warns if a host starts from a constant that wastes rounds or stalls training."""

from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from focalboost._validation import warn
from focalboost.losses import FocalLoss, Loss, SoftmaxFocalLoss
from focalboost.losses._evaluate import underflow_is_zero
from focalboost.objectives._grammar import Arguments, DataSet, is_from, n_workers

#: A start is poor if its loss is more than a tenth above the loss of the best constant.
#: Then the first rounds move all rows together and do not tell them apart.
TOLERATED_EXCESS = 1.1

#: XGBoost's margin if params name no objective beside obj=: base_score without a link.
XGBOOST_MARGIN_WITHOUT_OBJECTIVE = 0.5

_POOR_START_OF_WORKERS = (
    "Training starts from XGBoost's default base_score, which is far from the constant "
    "with the smallest focal loss for the rows of this worker. Call "
    "focalboost.xgboost.train, which sets the base_score for the rows of all workers."
)

#: The losses that have warned of the start of a data set, with their best constants. So
#: a model that stays constant does not warn in every round. They are forgotten when raw
#: predictions differ: the next constant is the start of another training. Calls without
#: a data set, those of scikit-learn, share the entry of the class DataSet.
_warned: WeakKeyDictionary[Any, set[tuple[Loss, str]]] = WeakKeyDictionary()


def warn_of_poor_start(loss: Loss, arguments: Arguments) -> None:
    """Warn if all raw predictions are one constant, far from the best constant."""
    y_true, raw, sample_weight, data_set = arguments
    start = _constant(np.asarray(raw))
    training = DataSet if data_set is None else data_set
    if start is None:
        _warned.pop(training, None)
        return
    # XGBoost starts from one of these if nobody has chosen a base_score.
    no_objective = bool(np.all(start == XGBOOST_MARGIN_WITHOUT_OBJECTIVE))
    is_default = no_objective or bool(np.all(start == 0))
    if n_workers() > 1 and not is_default:
        return  # the rows of one worker do not tell the best constant of all
    masses: Any = loss.class_masses(y_true, sample_weight)
    if np.min(masses) <= 0:
        return
    # obj= without an objective predicts raw numbers, even from a good start.
    is_binary = isinstance(loss, FocalLoss)
    predicts_raw = no_objective and is_binary and is_from("xgboost", data_set)
    if not (predicts_raw or _is_poor(loss, start, masses)):
        return
    best = np.asarray(loss.baseline(y_true, sample_weight))
    seen = _warned.setdefault(training, set())
    if (loss, str(best)) in seen:
        return
    seen.add((loss, str(best)))
    message = f"{_contrast(start, best)} {_remedy(loss, best, data_set)}"
    if n_workers() > 1:
        message = _POOR_START_OF_WORKERS
    warn(message)


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
        advice = "Leave base_score out: training sets it to that."
        warn(f"{_contrast(start, best)} {advice}")


def _is_poor(loss: Loss, start: Any, masses: Any) -> bool:
    """Whether a constant wastes rounds or stalls training."""
    # Both losses may be 0, where a large gamma and small weights underflow.
    tolerated = TOLERATED_EXCESS * loss.best_constant_loss(masses)
    return bool(loss.constant_loss(start, masses) > tolerated)


def _contrast(start: Any, best: NDArray[Any]) -> str:
    return (
        f"Training starts from raw prediction {_shown(start)}, but the constant with "
        f"the smallest focal loss is {_shown(best)}."
    )


def _constant(raw: NDArray[Any]) -> Any:
    """The raw prediction that all rows share, or None. The ends are compared first."""
    if raw.size == 0 or np.any(raw[0] != raw[-1]) or not (raw == raw[0]).all():
        return None
    return raw[0]


def _shown(constant: Any) -> str:
    """A constant to six digits, as it can be typed; -0 is 0."""
    digits = [f"{value + 0.0:.6g}" for value in np.ravel(constant)]
    return digits[0] if np.ndim(constant) == 0 else f"[{', '.join(digits)}]"


@underflow_is_zero
def _remedy(loss: Loss, best: NDArray[Any], data_set: Any) -> str:
    """What to type, in the words of the host that calls."""
    from scipy.special import expit

    score, objective = _shown(expit(best)), '"binary:logistic"'
    if isinstance(loss, SoftmaxFocalLoss):
        score, objective = _shown(best), f'"multi:softprob", "num_class": {len(best)}'
    if is_from("xgboost", data_set):
        return (
            f'Add {{"objective": {objective}, "base_score": {score}}} to params, or '
            "call focalboost.xgboost.train."
        )
    if is_from("lightgbm", data_set):
        return (
            f"Call train_set.set_init_score({_rows(best, 'train_set.num_data()')}), do "
            "the same for every validation set, and add it to predictions. Or call "
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
