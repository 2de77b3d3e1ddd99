"""Checks that the diagnostics share."""

import math
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from focalboost._validation import reject, require_classes

__all__ = ["binary_labels", "finite_scores", "open_share"]


def binary_labels(y_true: Any) -> NDArray[np.float64]:
    """Labels 0 and 1 as float64, shape (n_samples,)."""
    y = np.asarray(y_true, dtype=np.float64)
    if y.ndim != 1:
        reject("y_true", "of shape (n_samples,)", y.shape, "Pass one column.")
    require_classes(np, y, 2)
    return y


def finite_scores(name: str, score: Any, n_rows: int) -> NDArray[np.float64]:
    """Scores without NaN as float64, one for each row."""
    values = np.asarray(score, dtype=np.float64)
    if values.shape != (n_rows,):
        reject(name, f"of shape {(n_rows,)}", values.shape, "Pass one for each row.")
    if not np.isfinite(values).all():
        wrong = float(values[~np.isfinite(values)][0])
        reject(name, "finite", wrong, "Look for NaN or inf in the model.")
    return values


def open_share(name: str, value: Any, advice: str) -> float:
    """A number between 0 and 1, both excluded."""
    number = float(value) if isinstance(value, Real) else math.nan
    if not 0 < number < 1:
        reject(name, "between 0 and 1, both excluded", value, advice)
    return number
