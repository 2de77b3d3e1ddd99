"""What the hosts hand to a callable, and what they take back.

The native functions of both call it with (raw predictions, data set), and the
scikit-learn classes with (labels, raw predictions[, weights]). "No weights" is an empty
array in XGBoost and None in LightGBM.
"""

import sys
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from focalboost._validation import reject, require_range
from focalboost.losses import FocalLoss, Loss, SoftmaxFocalLoss
from focalboost.losses._arrays import Array, as_floating, underflow_is_zero


@runtime_checkable
class DataSet(Protocol):
    """What xgboost.DMatrix and lightgbm.Dataset have in common."""

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
    """Return the binary loss, or the softmax loss of n_classes classes."""
    if n_classes is None:
        return FocalLoss(gamma, alpha)
    return SoftmaxFocalLoss(n_classes, gamma, alpha)


def unpack(first: Any, second: Any, sample_weight: Any) -> Arguments:
    """Return the arguments of the native call or of the scikit-learn call in order."""
    if isinstance(second, DataSet):
        return Arguments(labels_of(second), first, weights_of(second), second)
    return Arguments(first, second, sample_weight, None)


def checked(loss: Loss, arguments: Arguments) -> Arguments:
    """Return arguments that have the form of the loss."""
    if np.size(arguments.raw_prediction) == 0 and np.size(arguments.y_true) == 0:
        return arguments._replace(raw_prediction=_no_rows(loss, arguments))
    if isinstance(loss, FocalLoss):
        _refuse_rows_of_classes(*arguments[:2])
    return arguments


def _no_rows(loss: Loss, arguments: Arguments) -> Any:
    """The raw predictions of a worker without rows. XGBoost gives them any shape."""
    shape: tuple[int, ...] = np.shape(arguments.y_true)
    if isinstance(loss, SoftmaxFocalLoss):
        shape = (0, loss.n_classes)
    return np.reshape(arguments.raw_prediction, shape)


def _refuse_rows_of_classes(y_true: Any, raw_prediction: Any) -> None:
    """Reject rows of raw predictions, which a host passes for several classes."""
    if np.ndim(raw_prediction) == 2 and np.ndim(y_true) == 1:
        n_classes = np.shape(raw_prediction)[1]
        reject(
            "n_classes",
            f"{n_classes}, as the raw predictions have {n_classes} columns",
            None,
            f"Use focal_objective(n_classes={n_classes}) and "
            f"focal_metric(n_classes={n_classes}).",
        )


def labels_of(data_set: Any) -> Any:
    """Return the labels of a data set: (n,), or (n, T) of T labels for each row."""
    labels = data_set.get_label()
    if is_from("xgboost", data_set) and labels.ndim == 1:
        n_rows = data_set.num_row()
        if len(labels) > n_rows > 0:  # XGBoost before 3.2 returns the rows flat
            return labels.reshape(n_rows, -1)
    return labels


def weights_of(data_set: DataSet) -> Any:
    """Return the weights of a data set, or None if every row has the weight 1."""
    weight = data_set.get_weight()
    return None if weight is None or len(weight) == 0 else weight


def is_from(host: str, data_set: DataSet | None) -> bool:
    """Whether the data set belongs to a host. Without its import there is none."""
    module = sys.modules.get(host)
    if module is None or data_set is None:
        return False
    return isinstance(data_set, module.DMatrix if host == "xgboost" else module.Dataset)


def is_for_lightgbm(arguments: Arguments) -> bool:
    """Whether LightGBM calls.

    In the scikit-learn call the raw predictions tell the host: LightGBM's are float64,
    and XGBoost's are float32.
    """
    if arguments.data_set is not None:
        return is_from("lightgbm", arguments.data_set)
    dtype = getattr(arguments.raw_prediction, "dtype", None)
    return str(dtype).endswith("float64")  # of any namespace


@underflow_is_zero
def as_gradients(name: str, values: Array, factor: Any = None) -> Array:
    """Return values, or factor * values, as finite float32 in the same memory order."""
    xp, values = as_floating(name, values)
    with np.errstate(over="ignore"):  # the check of the range finds infinity
        product = values if factor is None else factor * values
        result = xp.astype(product, xp.float32)
    require_range(xp, name, result, "float32")
    return result
