"""What the two hosts' train functions have in common."""

import warnings
from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import Any

from focalboost._imports import import_extra
from focalboost._validation import learning_rate_limit, reject
from focalboost.losses import FocalLoss, Loss, SoftmaxFocalLoss

__all__ = [
    "WEIGHTS_INSTEAD",
    "as_list",
    "checked_loss",
    "import_host",
    "learning_rate_bound",
    "one_value",
    "refuse",
    "refuse_focal_names",
    "thread_setting",
    "warn_of_no_split",
]

#: The larger of the hosts' default learning rates, 0.3 and 0.1: unless the user asks
#: for less, the certified curvature's floor is not taken for a smaller one.
DEFAULT_LEARNING_RATE_LIMIT = 0.3

#: What to use in place of a host's parameter that weighs the positives.
WEIGHTS_INSTEAD = (
    "Use sample_weight, class_weight or focal_alpha with an estimator, and with train "
    "the weights of the data set or loss=FocalLoss(alpha=...)."
)


def import_host(name: str) -> ModuleType:
    """Import a host, or say which extra installs it."""
    other = " (or pip install xgboost-cpu, without CUDA)" * (name == "xgboost")
    return import_extra(name, f"pip install 'focalboost[{name}]'{other}")


def one_value(
    params: Mapping[str, Any], names: Iterable[str], default: Any = None
) -> Any:
    """The value of a parameter that goes by several names, or the default."""
    return next(
        (params[name] for name in names if params.get(name) is not None), default
    )


def checked_loss(loss: Any, n_classes: Any) -> Loss:
    """The loss, or for None the default one of a host's number of classes."""
    if loss is None:
        several = n_classes is not None and int(n_classes) > 2
        return SoftmaxFocalLoss(int(n_classes)) if several else FocalLoss()
    if not isinstance(loss, FocalLoss | SoftmaxFocalLoss):
        reject(
            "loss",
            "a FocalLoss or a SoftmaxFocalLoss",
            loss,
            "Use loss=FocalLoss(gamma=2), or SoftmaxFocalLoss(n_classes, gamma=2).",
        )
    return loss


def thread_setting(params: Mapping[str, Any], names: Iterable[str]) -> int | None:
    """The host's number of threads; None for what OpenMP takes (0, or negative)."""
    count = int(one_value(params, names, 0))
    return count if count > 0 else None


def as_list(values: Any) -> list[Any]:
    """None, one value or several, as a list."""
    if values is None:
        return []
    return list(values) if isinstance(values, list | tuple | set) else [values]


def refuse(
    params: Mapping[str, Any],
    names: Iterable[str],
    allowed: tuple[Any, ...],
    advice: str,
) -> None:
    """Reject a parameter, by any of its names, unless its value is allowed."""
    accepted = {_normal(value) for value in allowed}
    for name in names:
        value = params.get(name)
        if value is not None and _normal(value) not in accepted:
            rule = " or ".join(map(repr, allowed)) or "left out"
            reject(f"params[{name!r}]", rule, value, advice)


def refuse_focal_names(params: Mapping[str, Any]) -> None:
    """Reject what would be a parameter of the focal loss, misspelled or misplaced."""
    for name, value in params.items():
        if str(name).startswith("focal"):
            reject(
                str(name),
                "left out",
                value,
                "Estimators have focal_gamma, focal_alpha and focal_max_learning_rate; "
                "train takes loss=FocalLoss(gamma, alpha).",
            )


def _normal(value: Any) -> str:
    """One text for what the hosts read alike: 1, 1.0, "1" and True."""
    text = str(value).lower()
    return {"1.0": "1", "true": "1", "0.0": "0", "false": "0"}.get(text, text)


def learning_rate_bound(rates: Iterable[Any], max_learning_rate: float | None) -> float:
    """The learning rate for which the curvature is certified."""
    rate = max(learning_rate_limit(_number(rate), "learning_rate") for rate in rates)
    if max_learning_rate is None:
        return max(rate, DEFAULT_LEARNING_RATE_LIMIT)
    bound = learning_rate_limit(max_learning_rate)
    if bound < rate:
        reject(
            "max_learning_rate",
            f"at least the learning rate, {rate:g}",
            max_learning_rate,
            "The certificate would not hold: leave it out, or give the largest rate "
            "that a callback will set.",
        )
    return bound


def _number(value: Any) -> Any:
    """The number that a text stands for, as hosts take it; other values as they are."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def warn_of_no_split(has_split: bool) -> None:
    """Warn of a model that is a constant."""
    if not has_split:
        warnings.warn(
            "The model has learned nothing: no tree has a split, so every row gets the "
            "same prediction. Likely causes: no feature tells the classes apart, too "
            "few rows, a base_score or init_score far from the best constant, or "
            "min_child_weight, min_child_samples (min_data_in_leaf), gamma "
            "(min_split_loss) or lambda too large for the few positives.",
            UserWarning,
            stacklevel=3,
        )
