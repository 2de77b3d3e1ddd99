"""What the hosts hand to a callable, and what they take back.

The native functions call (raw predictions, data set), the scikit-learn classes
(labels, raw predictions[, weights]). XGBoost says "no weights" with an empty array,
LightGBM with None.
"""

import sys
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from array_api_compat import array_namespace

from focalboost._validation import reject, require_range
from focalboost.losses import FocalLoss, Loss, SoftmaxFocalLoss
from focalboost.losses._arrays import Array

__all__ = [
    "Arguments",
    "DataSet",
    "Parameter",
    "as_gradients",
    "is_for_lightgbm",
    "is_from",
    "named_loss",
    "unpack",
    "weights_of",
]


@runtime_checkable
class DataSet(Protocol):
    """The part of xgboost.DMatrix and lightgbm.Dataset that is read here."""

    def get_label(self) -> Any: ...
    def get_weight(self) -> Any: ...


#: A number, or one for each class.
Parameter = float | Sequence[float]


class Arguments(NamedTuple):
    """The arguments of a loss, and the data set if the host has passed one."""

    y_true: Array
    raw_prediction: Array
    sample_weight: Array | None
    data_set: DataSet | None


def named_loss(gamma: Any, alpha: Any, n_classes: int | None) -> Loss:
    """The binary loss, or where the classes are counted that of the softmax."""
    if n_classes is None:
        return FocalLoss(gamma, alpha)
    return SoftmaxFocalLoss(n_classes, gamma, alpha)


def unpack(loss: Loss, first: Any, second: Any, sample_weight: Any) -> Arguments:
    """Tell the native call from the scikit-learn call, and order the arguments."""
    arguments = Arguments(first, second, sample_weight, None)
    if isinstance(second, DataSet):
        arguments = Arguments(second.get_label(), first, weights_of(second), second)
    if np.size(arguments.raw_prediction) == 0 and np.size(arguments.y_true) == 0:
        return arguments._replace(raw_prediction=_no_rows(loss, arguments))
    if isinstance(loss, FocalLoss):
        _refuse_rows_of_classes(*arguments[:2])
    return arguments


def _no_rows(loss: Loss, arguments: Arguments) -> Any:
    """The raw predictions of a worker without rows; XGBoost gives them any shape."""
    shape: tuple[int, ...] = np.shape(arguments.y_true)
    if isinstance(loss, SoftmaxFocalLoss):
        shape = (0, loss.n_classes)
    return np.reshape(arguments.raw_prediction, shape)


def _refuse_rows_of_classes(y_true: Any, raw_prediction: Any) -> None:
    """Reject what a host hands over for the softmax of several classes."""
    if np.ndim(raw_prediction) == 2 and np.ndim(y_true) == 1:
        n_classes = np.shape(raw_prediction)[1]
        reject(
            "n_classes",
            f"{n_classes}, as the raw predictions have {n_classes} columns",
            None,
            f"Use focal_objective(n_classes={n_classes}) and "
            f"focal_metric(n_classes={n_classes}).",
        )


def weights_of(data_set: DataSet) -> Any:
    """The weights of a data set, or None where every row counts 1."""
    weight = data_set.get_weight()
    return None if weight is None or len(weight) == 0 else weight


def is_from(host: str, data_set: DataSet | None) -> bool:
    """Whether the data set belongs to a host; a host not imported has none."""
    module = sys.modules.get(host)
    if module is None or data_set is None:
        return False
    return isinstance(data_set, module.DMatrix if host == "xgboost" else module.Dataset)


def is_for_lightgbm(arguments: Arguments) -> bool:
    """Whether LightGBM has called.

    In the scikit-learn call its raw predictions tell: they are float64, XGBoost's
    float32.
    """
    if arguments.data_set is not None:
        return is_from("lightgbm", arguments.data_set)
    dtype = getattr(arguments.raw_prediction, "dtype", None)
    return str(dtype).endswith("float64")  # of any namespace


def as_gradients(name: str, values: Array) -> Array:
    """Return finite float32 numbers in the same memory order, or raise."""
    xp = array_namespace(values)
    with np.errstate(over="ignore", under="ignore"):
        result = xp.astype(values, xp.float32)
    require_range(xp, name, result, "float32")
    return result
