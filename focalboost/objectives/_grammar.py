"""What the hosts hand to a callable, and what they take back.

The native functions call (raw predictions, data set), the scikit-learn classes
(labels, raw predictions[, weights]). XGBoost says "no weights" with an empty array,
LightGBM with None.
"""

import sys
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from focalboost._validation import require_float32
from focalboost.losses._arrays import Array

__all__ = ["Arguments", "DataSet", "as_gradients", "is_from", "unpack", "weights_of"]


@runtime_checkable
class DataSet(Protocol):
    """The part of xgboost.DMatrix and lightgbm.Dataset that is read here."""

    def get_label(self) -> Any: ...
    def get_weight(self) -> Any: ...


class Arguments(NamedTuple):
    """The arguments of a loss, and the data set if the host has passed one."""

    y_true: Array
    raw_prediction: Array
    sample_weight: Array | None
    data_set: DataSet | None


def unpack(first: Any, second: Any, sample_weight: Any) -> Arguments:
    """Tell the native call from the scikit-learn call, and order the arguments."""
    if isinstance(second, DataSet):
        weight = weights_of(second)
        return Arguments(second.get_label(), first, weight, second)
    return Arguments(first, second, sample_weight, None)


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


def as_gradients(name: str, values: Array) -> NDArray[np.float32]:
    """Return float32, native, C-contiguous and finite numbers, or raise.

    XGBoost reads memory of other dtypes as if it were float32, and both hosts turn
    one NaN into a useless model without a word.
    """
    with np.errstate(over="ignore", under="ignore"):
        result = np.ascontiguousarray(values, dtype=np.float32)
    require_float32(name, result)
    return result
