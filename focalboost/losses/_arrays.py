"""Brings labels, raw predictions and weights to one namespace, dtype and device."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import numpy as np
from array_api_compat import array_namespace, device, is_array_api_obj

from focalboost._validation import (
    reject,
    require_matrix,
    require_shape,
    require_weights,
)

#: An array of any array-API namespace; the standard has no common type to name.
Array = Any


def _numpy_namespace() -> Any:
    """NumPy under the names of the standard.

    NumPy has had all names since 2.1, and a newer ``astype`` takes scalars. Then the
    namespace of array_api_compat adds nothing but the .1 s of its import.
    """
    own: Any = np
    try:
        own.astype(np.float64(0), np.float32)
    except (AttributeError, TypeError):
        return array_namespace(np.empty(0))
    return own


numpy_namespace = _numpy_namespace()

_P = ParamSpec("_P")
_R = TypeVar("_R")


def underflow_is_zero(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Let results too small for their dtype become 0, even after np.seterr("raise").

    The tails of the losses underflow, and 0 is the correctly rounded value there.
    """

    @wraps(function)
    def quiet(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        with np.errstate(under="ignore"):
            return function(*args, **kwargs)

    return quiet


def gathered(
    y_true: Any,
    raw_prediction: Any,
    sample_weight: Any = None,
    n_classes: int | None = None,
) -> tuple[Any, Array, Array, Array | None]:
    """Return namespace, labels, raw predictions and weights as arrays that fit.

    Raw predictions keep float32 or float64; other dtypes become float64. Labels and
    weights move to the device of the raw predictions. There is one label for each raw
    prediction, or for each row of ``n_classes`` of them. Weights with one dimension
    less than the labels are repeated for every column.
    """
    xp, raw = as_floating("raw_prediction", raw_prediction)
    if n_classes is not None:
        require_matrix("raw_prediction", raw, n_classes)
    shape = tuple(raw.shape if n_classes is None else raw.shape[:1])
    y = _beside(raw, y_true, xp)
    require_shape("y_true", y, shape)
    if sample_weight is None:
        return xp, y, raw, None
    weight = _beside(raw, sample_weight, xp)
    if weight.ndim == 1 and y.ndim == 2 and weight.shape[0] == y.shape[0]:
        weight = xp.broadcast_to(weight[:, None], shape)
    require_shape("sample_weight", weight, shape)
    return xp, y, raw, weight


def weighed_labels(y_true: Any, sample_weight: Any) -> tuple[Any, Array, Array | None]:
    """Return the namespace, and labels and weights as float64."""
    xp, labels = as_floating("y_true", y_true)
    labels = xp.astype(labels, xp.float64)
    _, y, _, weight = gathered(labels, labels, sample_weight)
    if weight is not None:
        weight = like("sample_weight", weight, y, xp)
        require_weights(xp, weight)
    return xp, y, weight


def as_floating(name: str, values: Any) -> tuple[Any, Array]:
    """Return the namespace and values as native float32 or float64."""
    if not is_array_api_obj(values):
        values = np.asarray(values)
    if isinstance(values, np.ndarray | np.generic):
        return numpy_namespace, _numpy_floating(name, np.asarray(values))
    xp = array_namespace(values)
    if values.dtype not in (xp.float32, xp.float64):
        values = xp.astype(values, xp.float64)
    return xp, values


def _numpy_floating(name: str, values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Big-endian, half, extended and integer numbers become native floats."""
    native = values.dtype.newbyteorder("=")
    if native in (np.float32, np.float64):
        return values.astype(native, copy=False)
    if values.dtype.kind not in "biufO":
        reject(name, "an array of real numbers", values, "Convert it first.")
    try:
        return values.astype(np.float32 if native == np.float16 else np.float64)
    except (TypeError, ValueError):
        reject(name, "an array of real numbers", values, "Convert it first.")


def _beside(raw: Array, values: Any, xp: Any) -> Array:
    """Values as an array on the device of the raw predictions."""
    if xp is numpy_namespace:
        return np.asarray(values)
    return xp.asarray(values, device=device(raw))


def like(name: str, values: Array, raw: Array, xp: Any) -> Array:
    """Return values in the dtype of the raw predictions."""
    if values.dtype == raw.dtype:
        return values
    if xp is numpy_namespace:
        # An overflow gives inf, and the check of the values names the argument.
        with np.errstate(over="ignore"):
            return as_floating(name, values)[1].astype(raw.dtype, copy=False)
    return xp.astype(values, raw.dtype, copy=False)


def by_column(table: Array) -> Array:
    """Return the table with each column contiguous in memory, if it is NumPy's.

    NumPy works along memory. Row by row, the few columns of a table cost several times
    as much as the arithmetic.
    """
    return np.asfortranarray(table) if isinstance(table, np.ndarray) else table
