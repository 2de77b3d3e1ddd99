"""Reads and refuses what is passed to the hosts: parameters, losses, class masses."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from focalboost._validation import learning_rate_limit, reject, warn
from focalboost.losses import FocalLoss, Loss, SoftmaxFocalLoss

#: The names of the number of threads in either host.
THREADS = ("nthread", "n_jobs", "num_threads", "num_thread", "nthreads")

#: The larger of the hosts' default learning rates, 0.3 and 0.1. The curvature is
#: certified for it, even if the learning rate is smaller.
DEFAULT_LEARNING_RATE_LIMIT = 0.3

#: What to use instead of a host's parameter that weighs the positives.
WEIGHTS_INSTEAD = (
    "Leave it out: focal loss needs no class weights, and these multiply the odds. If "
    "a positive stands for {value} rows, with an estimator use class_weight={{1: "
    "{value}}}, with your label in place of 1. With train, give the data set "
    "weight=np.where(y == 1, {value}, 1)."
)

#: The hosts' names of the log loss with a score for each class.
SOFTMAX = ("multi:softprob", "multiclass", "softmax")

#: A larger gamma may leave nothing to learn.
LARGEST_USUAL_GAMMA = 5


def one_value(
    params: Mapping[str, Any], names: Iterable[str], default: Any = None
) -> Any:
    """The value of a parameter that goes by several names, or the default."""
    return next(
        (params[name] for name in names if params.get(name) is not None), default
    )


def checked_loss(loss: Any, n_classes: Any, objective: Any = None) -> Loss:
    """The loss, or the default one; two classes have the softmax only by name."""
    if loss is None:
        count = 0 if n_classes is None else int(n_classes)
        names_softmax = isinstance(objective, str) and objective in SOFTMAX
        has_softmax = count > 2 or (count == 2 and names_softmax)
        return SoftmaxFocalLoss(count) if has_softmax else FocalLoss()
    if not isinstance(loss, FocalLoss | SoftmaxFocalLoss):
        meant = _loss_in(loss) or "FocalLoss(gamma=2)"
        reject("loss", "a FocalLoss or a SoftmaxFocalLoss", loss, f"Use loss={meant}.")
    return loss


def refuse_objective(objective: Any) -> None:
    """Reject an objective beside the loss."""
    if objective is not None:
        meant = _loss_in(objective) or "FocalLoss(gamma=2)"
        reject("obj", "left out", objective, f"Use loss={meant}.")


def _loss_in(value: Any) -> Loss | None:
    """The loss that a value is, or that an objective or a metric has."""
    for loss in (value, getattr(value, "loss", None)):
        if isinstance(loss, FocalLoss | SoftmaxFocalLoss):
            return loss
    return None


def thread_setting(params: Mapping[str, Any]) -> int | None:
    """The number of threads; None for the default of OpenMP (0, or negative)."""
    return max(int(one_value(params, THREADS, 0)), 0) or None


def as_list(values: Any) -> list[Any]:
    """None, one value or several, as a list."""
    if values is None:
        return []
    is_one = isinstance(values, str) or not isinstance(values, Iterable)
    return [values] if is_one else list(values)


def name_of(function: Any) -> str:
    """The name of a function, also with some of its arguments given (partial)."""
    function = getattr(function, "func", function)
    return str(getattr(function, "__name__", type(function).__name__))


def metrics_in(values: Any) -> list[Any]:
    """The metrics that are given; hosts skip None among them."""
    return [metric for metric in as_list(values) if metric is not None]


def refuse(
    params: Mapping[str, Any],
    names: Iterable[str],
    allowed: tuple[Any, ...],
    advice: str,
) -> None:
    """Reject a parameter under any name; the advice may hold its ``{value}``."""
    accepted = {_normal(value) for value in allowed}
    for name in names:
        value = params.get(name)
        if value is not None and _normal(value) not in accepted:
            rule = " or ".join(map(repr, allowed)) or "left out"
            reject(name, rule, value, advice.format(value=value))


#: What a host would ignore among its parameters.
_ARGUMENTS_OF_TRAIN = ("balance", "class_masses", "curvature", "max_learning_rate")


def refuse_focal_names(params: Mapping[str, Any]) -> None:
    """Reject parameters of the focal loss that are misspelled or misplaced."""
    advice = (
        "It is a parameter of the estimators. Give the data set the weights of "
        "sklearn.utils.class_weight.compute_sample_weight."
    )
    refuse(params, ["class_weight"], (), advice)
    advice = (
        "Estimators have focal_gamma, focal_alpha, focal_max_learning_rate and "
        "focal_balance. train has arguments beside its params: loss=FocalLoss("
        f"gamma, alpha), {', '.join(_ARGUMENTS_OF_TRAIN)}."
    )
    for name, value in params.items():
        if str(name).startswith("focal") or name in _ARGUMENTS_OF_TRAIN:
            reject(str(name), "left out", value, advice)
        loss = None if "metric" in str(name) else _loss_in(value)
        if loss is not None:
            advice = (
                f"With an estimator, use focal_gamma={loss.gamma} and "
                f"focal_alpha={loss.alpha}. With train, use loss={loss}."
            )
            reject(str(name), "left out", value, advice)


def _normal(value: Any) -> str:
    """One text for values that the hosts read alike: 1, 1.0, "1" and True."""
    text = str(value).lower()
    return {"1.0": "1", "true": "1", "0.0": "0", "false": "0"}.get(text, text)


def learning_rate_bound(
    params: Mapping[str, Any],
    names: Iterable[str],
    default: float,
    max_learning_rate: float | None,
    allows_zero: bool = False,
) -> float:
    """The learning rate that the curvature is certified for."""
    given = [_number(params[name]) for name in names if name in params]
    rates = [rate for rate in given if not (allows_zero and rate == 0)] or [default]
    rate = max(learning_rate_limit(rate, "learning_rate") for rate in rates)
    if max_learning_rate is None:
        return max(rate, DEFAULT_LEARNING_RATE_LIMIT)
    bound = learning_rate_limit(max_learning_rate)
    if bound < rate:
        rule = f"at least the learning rate, {rate:g}"
        advice = (
            "The certificate would not hold. Leave it out, or pass the largest rate "
            "that a callback will set."
        )
        reject("max_learning_rate", rule, max_learning_rate, advice)
    return bound


def _number(value: Any) -> Any:
    """The number in a text, as the hosts read it; other values as they are."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def warn_of_no_split(has_split: bool, loss: Loss) -> None:
    """Warn if a model is a constant."""
    if has_split:
        return
    gamma = np.max(loss.gamma)
    advice = (
        "Check that features tell the classes apart, and that base_score or init_score "
        "is near the best constant. Then try smaller values of min_child_weight, "
        "min_child_samples (min_data_in_leaf), min_split_loss and lambda."
    )
    if gamma > LARGEST_USUAL_GAMMA:
        advice = (
            f"The focusing parameter is {gamma:g}, which makes the gradients of nearly "
            f"all rows vanish. Use one from 0 to {LARGEST_USUAL_GAMMA}."
        )
    warn(
        "The model has learned nothing: no tree has a split, so every row gets the "
        f"same prediction. {advice}"
    )


#: Whether posteriors are brought into balance, and on which rows.
Balance = bool | Literal["validation"]


def checked_balance(balance: Any, name: str, has_validation: bool) -> Balance:
    """Return True, False or "validation", for which there have to be such rows."""
    if isinstance(balance, bool | np.bool_):
        return bool(balance)
    if not (isinstance(balance, str) and balance == "validation"):
        advice = f"Use {name}=True to balance the posteriors on the training rows."
        reject(name, 'True, False or "validation"', balance, advice)
    if not has_validation:
        advice = f'Pass an evaluation set: {name}="validation" takes the last one.'
        reject(name, "True or False without an evaluation set", balance, advice)
    return "validation"


def balance_to_make(
    balance: Balance, loss: Loss, curvature: str = "certified"
) -> Balance:
    """The balance to make. The exact log loss stays the host's own, to the bit."""
    is_hosts_own = loss.is_log_loss and curvature == "exact"
    return False if is_hosts_own else balance


#: By which the masses of some rows may exceed those of all rows, relative: hosts hold
#: weights in float32.
_ROUNDING = 1e-6


def checked_masses(class_masses: Any, own: NDArray[np.float64]) -> NDArray[np.float64]:
    """The class masses of all rows: those given, or those of the rows here."""
    if class_masses is None:
        return own
    advice = (
        "Pass loss.class_masses(y, sample_weight) of all rows, or the sum of what it "
        "returns for each worker. FocalLoss has the positives first."
    )
    try:
        masses = np.asarray(class_masses, dtype=np.float64)
    except (TypeError, ValueError):
        masses = np.array(np.nan)
    if masses.shape != own.shape or not np.all(np.isfinite(masses) & (masses >= 0)):
        rule = f"finite numbers >= 0 of the shape {own.shape}"
        reject("class_masses", rule, class_masses, advice)
    if np.any(masses < own * (1 - _ROUNDING)):
        rule = f"at least those of the rows here, {own.tolist()}"
        reject("class_masses", rule, class_masses, advice)
    return masses


def rows_of_masses(
    loss: Loss, masses: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Labels and weights of one row for each class, with the baseline of all rows."""
    codes = np.arange(len(masses), dtype=np.float64)
    if isinstance(loss, FocalLoss):
        codes = codes[::-1]  # it has the positives' masses first
    labels = codes.reshape(-1, *[1] * (masses.ndim - 1))
    return np.broadcast_to(labels, masses.shape), masses
