"""What the two hosts' train functions have in common."""

import importlib
import warnings
from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import Any

from focalboost._validation import learning_rate_limit, reject

__all__ = [
    "DEFAULT_LEARNING_RATE_LIMIT",
    "as_list",
    "import_host",
    "learning_rate_bound",
    "one_value",
    "refuse",
    "warn_of_no_split",
]

#: The larger of the hosts' default learning rates, 0.3 and 0.1. The floor of the
#: certified curvature is never taken for less.
DEFAULT_LEARNING_RATE_LIMIT = 0.3


def import_host(name: str) -> ModuleType:
    """Import a host, or say which extra installs it."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        other = " (or pip install xgboost-cpu, without CUDA)" * (name == "xgboost")
        raise ModuleNotFoundError(
            f"{name} is not installed: pip install 'focalboost[{name}]'{other}",
            name=name,
        ) from None


def one_value(
    params: Mapping[str, Any], names: Iterable[str], default: Any = None
) -> Any:
    """The value of a parameter that goes by several names, or the default."""
    return next(
        (params[name] for name in names if params.get(name) is not None), default
    )


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
    """Reject a parameter, by any of its names, unless its value is allowed.

    Hosts read 1, 1.0 and "1" alike, so they are alike here.
    """
    accepted = {*allowed, *(str(value).lower() for value in allowed)}
    for name in names:
        value = params.get(name)
        if value is not None and value not in accepted:
            rule = " or ".join(map(repr, allowed)) or "left out"
            reject(f"params[{name!r}]", rule, value, advice)


def learning_rate_bound(learning_rate: Any, max_learning_rate: float | None) -> float:
    """The learning rate for which the curvature is certified."""
    if max_learning_rate is not None:
        return learning_rate_limit(max_learning_rate)
    rate = max(float(learning_rate), DEFAULT_LEARNING_RATE_LIMIT)
    return learning_rate_limit(rate, "learning_rate")


def warn_of_no_split(has_split: bool) -> None:
    """Warn of a model that is a constant."""
    if not has_split:
        warnings.warn(
            "The model has learned nothing: no tree has a split, so every row gets the "
            "same prediction. Likely causes: no feature tells the classes apart, too "
            "few rows, or min_child_weight, min_child_samples (min_data_in_leaf), "
            "gamma (min_split_loss) or lambda too large for the few positives.",
            UserWarning,
            stacklevel=3,
        )
