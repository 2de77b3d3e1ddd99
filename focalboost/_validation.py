"""Checks of arguments, and the only place that words an error about one.

Every message names the argument, the rule, the value, and what to type instead.
"""

import math
from numbers import Real
from typing import Any, NoReturn

import numpy as np

__all__ = [
    "class_balance",
    "focusing_parameter",
    "learning_rate_limit",
    "one_of",
    "reject",
    "require_finite",
    "require_float32",
    "require_inside_unit_interval",
    "require_labels",
    "require_length",
    "require_positive_total",
    "require_shape",
    "require_two_classes",
    "require_weights",
]


def reject(name: str, rule: str, value: object, advice: str) -> NoReturn:
    """Raise the ValueError that every check of this package raises."""
    raise ValueError(f"{name} must be {rule}; got {_shown(value)}. {advice}")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


#: Beyond it the modulation of any row that is not among the hardest underflows.
LARGEST_GAMMA = 1000.0


def _number(value: object) -> float:
    """A real number as a float; NaN for everything else, bool among it."""
    if not isinstance(value, Real) or isinstance(value, bool | np.bool_):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.inf


def focusing_parameter(
    gamma: object, name: str = "gamma"
) -> float | tuple[float, float]:
    """Return gamma as a float, or as a pair of two different floats."""
    pair = gamma.tolist() if isinstance(gamma, np.ndarray) else gamma
    values = pair if isinstance(pair, list | tuple) else (pair, pair)
    numbers = [_number(value) for value in values]
    if len(numbers) != 2 or not all(0 <= number <= LARGEST_GAMMA for number in numbers):
        reject(
            name,
            f"a number from 0 to {LARGEST_GAMMA:g}, or a pair (positive, negative)",
            gamma,
            f"Use {name}=2.0 as in the paper, or {name}=0 for the plain log loss.",
        )
    positive, negative = numbers
    return positive if positive == negative else (positive, negative)


def class_balance(alpha: object, name: str = "alpha") -> float | None:
    """Return alpha as a float in (0, 1), or None."""
    if alpha is None:
        return None
    if not 0 < _number(alpha) < 1:
        reject(
            name,
            "a number between 0 and 1, both excluded, or None",
            alpha,
            f"Positives weigh alpha and negatives 1 - alpha; use {name}=None for no "
            "class balance, or sample_weight for other weights.",
        )
    return _number(alpha)


def learning_rate_limit(value: object, name: str = "max_learning_rate") -> float:
    """Return a learning rate as a float in (0, 2)."""
    if not 0 < _number(value) < 2:
        reject(
            name,
            "a number between 0 and 2, both excluded",
            value,
            "Use 0.3 or less; a Newton step of twice its length raises any loss.",
        )
    return _number(value)


def one_of(name: str, value: object, allowed: tuple[str, ...]) -> None:
    """Check that value is one of the allowed words."""
    if not (isinstance(value, str) and value in allowed):
        words = " or ".join(map(repr, allowed))
        reject(name, f"one of {words}", value, f"Use {name}={allowed[0]!r}.")


def require_shape(name: str, array: Any, shape: tuple[int, ...]) -> None:
    """Check that array has one entry for each row (and column)."""
    if tuple(array.shape) != tuple(shape):
        reject(
            name,
            f"of shape {tuple(shape)}",
            tuple(array.shape),
            f"Pass one entry of {name} for each label and raw prediction.",
        )


def _require(
    condition: Any, xp: Any, array: Any, name: str, rule: str, way: str
) -> Any:
    """Check a condition of every entry, and show the first that breaks it."""
    if not bool(xp.all(condition)):
        flat = xp.reshape(array, (-1,))
        broken = xp.nonzero(~xp.reshape(condition, (-1,)))[0]
        reject(name, rule, float(flat[int(broken[0])]), way)


#: Beyond it a product of a margin and the smallest probability held is no longer 0.
LARGEST_RAW_PREDICTION = 1e30


def require_finite(xp: Any, raw_prediction: Any) -> None:
    """Check that no raw prediction is NaN, infinite, or absurdly large."""
    _require(
        xp.abs(raw_prediction) <= LARGEST_RAW_PREDICTION,
        xp,
        raw_prediction,
        "raw_prediction",
        "finite and within 1e30 of 0",
        "Look for NaN or inf in init_score, base_margin or the model.",
    )


def require_labels(xp: Any, y_true: Any) -> None:
    """Check that every label lies in [0, 1]; a NaN does not."""
    _require(
        (y_true >= 0) & (y_true <= 1),
        xp,
        y_true,
        "y_true",
        "0 or 1 (or a probability in between)",
        "Encode the labels, for instance with y_true = (y == positive_class).",
    )


def require_weights(xp: Any, sample_weight: Any) -> None:
    """Check that every weight is finite and not negative."""
    _require(
        (sample_weight >= 0) & xp.isfinite(sample_weight),
        xp,
        sample_weight,
        "sample_weight",
        "finite and >= 0",
        "Use 0 for a row that shall not count.",
    )


def require_inside_unit_interval(xp: Any, posterior: Any) -> None:
    """Check that every probability lies strictly between 0 and 1."""
    _require(
        (posterior > 0) & (posterior < 1),
        xp,
        posterior,
        "posterior",
        "between 0 and 1, both excluded",
        "A probability of 0 or 1 has no finite raw prediction.",
    )


def require_float32(name: str, array: Any) -> None:
    """Check that no entry has overflowed float32, the precision of the hosts."""
    _require(
        np.isfinite(array),
        np,
        array,
        name,
        "within the range of float32",
        "Divide sample_weight by its mean.",
    )


def require_length(name: str, array: Any, length: int) -> None:
    """Check that there is one entry for each row."""
    require_shape(name, np.asarray(array), (length,))


def require_two_classes(positive_mass: float, negative_mass: float) -> None:
    """Check that both classes carry weight, so that a best constant exists."""
    if not (0 < positive_mass < math.inf and 0 < negative_mass < math.inf):
        reject(
            "y_true",
            "labels of two classes, both with positive, finite weight",
            {"weight of class 1": positive_mass, "weight of class 0": negative_mass},
            "Add rows of the missing class, or correct the weights: nothing can be "
            "learned from one class.",
        )


def require_positive_total(total: float) -> None:
    """Check that some row has a positive weight."""
    if not total > 0:
        reject(
            "sample_weight",
            "positive for at least one row",
            total,
            "Leave out sample_weight, or pass rows that count.",
        )
