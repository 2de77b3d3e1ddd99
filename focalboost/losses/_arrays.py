"""Brings labels, raw predictions and weights to one namespace, dtype and device."""

from typing import Any

import numpy as np
from array_api_compat import array_namespace, device, is_array_api_obj

from focalboost._validation import reject, require_shape

__all__ = [
    "Array",
    "as_floating",
    "by_column",
    "gathered",
    "like",
    "numpy_namespace",
]

#: An array of any array-API namespace; the standard has no common type to name.
Array = Any

#: NumPy with the standard's names, some of which (astype) NumPy got with 2.1.
numpy_namespace = array_namespace(np.empty(0))


def gathered(
    y_true: Any,
    raw_prediction: Any,
    sample_weight: Any = None,
    *,
    per_row: bool = False,
) -> tuple[Any, Array, Array, Array | None]:
    """Return namespace, labels, raw predictions and weights as arrays that fit.

    Raw predictions keep float32 or float64 (anything else becomes float64), and labels
    and weights come to their device. There is one label for each raw prediction, or
    with ``per_row`` for each row of them; weights with one dimension less than the
    labels are spread over the columns.
    """
    xp, raw = as_floating("raw_prediction", raw_prediction)
    shape = raw.shape[:1] if per_row else raw.shape
    y = _beside(raw, y_true, xp)
    require_shape("y_true", y, shape)
    if sample_weight is None:
        return xp, y, raw, None
    weight = _beside(raw, sample_weight, xp)
    if weight.ndim == 1 and y.ndim == 2 and weight.shape[0] == y.shape[0]:
        weight = xp.broadcast_to(weight[:, None], shape)
    require_shape("sample_weight", weight, shape)
    return xp, y, raw, weight


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
    """Values in the dtype of the raw predictions."""
    if values.dtype == raw.dtype:
        return values
    if xp is numpy_namespace:
        # A cast that overflows ends as inf and is caught, by name, with the values.
        with np.errstate(over="ignore"):
            return as_floating(name, values)[1].astype(raw.dtype, copy=False)
    return xp.astype(values, raw.dtype, copy=False)


def by_column(table: Array) -> Array:
    """The table with every column together in memory, if it is NumPy's.

    NumPy works along memory: row by row, the few columns of a table cost it several
    times as much as the arithmetic.
    """
    return np.asfortranarray(table) if isinstance(table, np.ndarray) else table
