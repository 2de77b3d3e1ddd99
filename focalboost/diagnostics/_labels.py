"""Checks that the diagnostics share."""

import math
from collections import Counter
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from focalboost._validation import reject, require_classes

__all__ = [
    "binary_labels",
    "codes_of",
    "finite_scores",
    "numbers_of",
    "numeric_labels",
    "open_share",
]


def numbers_of(given: Any) -> list[Any]:
    """One number or several, as a list."""
    return [given] if isinstance(given, Real) else list(given)


def binary_labels(y_true: Any) -> NDArray[np.float64]:
    """Labels 0 and 1 as float64, shape (n_samples,)."""
    y = numeric_labels(y_true)
    if y.ndim != 1:
        reject("y_true", "of shape (n_samples,)", y.shape, "Pass one column.")
    require_classes(np, y, 2)
    return y


def numeric_labels(y_true: Any) -> NDArray[np.float64]:
    """Labels as float64; of words it takes a person to say which is to be found."""
    try:
        return np.asarray(y_true, dtype=np.float64)
    except (TypeError, ValueError):
        counts = Counter(np.asarray(y_true).ravel().tolist()).most_common()
        found = [label for label, _ in counts[:5]]
        advice = f"Pass y == {counts[-1][0]!r}, if that is the class to find."
        reject("y_true", "0 and 1, or codes 0, ..., K - 1 of K classes", found, advice)


def codes_of(y_true: Any, classes: NDArray[Any]) -> NDArray[np.intp]:
    """Labels as their places among the classes that a model was trained on."""
    labels = np.asarray(y_true)
    places = {label: place for place, label in enumerate(classes.tolist())}
    given = labels.ravel().tolist()
    unknown = list(dict.fromkeys(label for label in given if label not in places))
    if unknown:
        rule = f"labels that the model was trained on, {list(places)}"
        reject("y_true", rule, unknown[:5], "Pass y as it was passed to fit.")
    codes = np.array([places[label] for label in given], dtype=np.intp)
    return codes.reshape(labels.shape)


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
