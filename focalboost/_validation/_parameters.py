"""Checks of numbers and words."""

import math
from numbers import Integral, Real
from typing import Any

import numpy as np

from focalboost._validation._reject import reject

__all__ = [
    "class_alphas",
    "class_balance",
    "class_gammas",
    "floating_dtype",
    "focusing_parameter",
    "learning_rate_limit",
    "number_of_classes",
    "one_of",
    "thread_count",
    "whole_number",
]

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


def number_of_classes(n_classes: object) -> int:
    """Return the number of classes as an int, 2 or more."""
    return whole_number("n_classes", n_classes, 2, "Count the classes.")


def whole_number(name: str, value: object, least: int, advice: str = "") -> int:
    """Return a whole number as an int, of a least size."""
    is_whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not is_whole or not _number(value) >= least:
        advice = advice or f"Use {name}={least}."
        reject(name, f"a whole number >= {least}", value, advice)
    return int(_number(value))


def class_gammas(
    gamma: Any, n_classes: int, name: str = "gamma"
) -> float | tuple[float, ...]:
    """Return gamma as a float for all classes, or a tuple of floats, one for each."""
    values = np.asarray(gamma).tolist() if np.ndim(gamma) == 1 else [gamma]
    numbers = [_number(value) for value in values]
    rule = (
        f"a number from 0 to {LARGEST_GAMMA:g}, or one for each of {n_classes} classes"
    )
    if len(numbers) not in (1, n_classes) or not all(
        0 <= number <= LARGEST_GAMMA for number in numbers
    ):
        reject(name, rule, gamma, f"Use {name}=2.0 as in the paper.")
    return numbers[0] if len(set(numbers)) == 1 else tuple(numbers)


def class_alphas(
    alpha: Any, n_classes: int, name: str = "alpha"
) -> tuple[float, ...] | None:
    """Return alpha as a tuple of positive floats, one for each class, or None."""
    if alpha is None:
        return None
    values = np.asarray(alpha).tolist() if np.ndim(alpha) == 1 else []
    numbers = [_number(value) for value in values]
    if len(numbers) != n_classes or not all(0 < n < math.inf for n in numbers):
        reject(
            name,
            f"None, or positive weights of {n_classes} classes",
            alpha,
            "Leave it out for equal weights.",
        )
    return tuple(numbers)


def learning_rate_limit(value: object, name: str = "max_learning_rate") -> float:
    """Return a learning rate as a float in (0, 2)."""
    if not 0 < _number(value) < 2:
        reject(
            name,
            "a number between 0 and 2, both excluded",
            value,
            "Use 0.3: a rate of 0 trains nothing, and a Newton step of twice its "
            "length raises any loss.",
        )
    return _number(value)


def one_of(name: str, value: object, allowed: tuple[str, ...]) -> None:
    """Check that value is one of the allowed words."""
    if not (isinstance(value, str) and value in allowed):
        words = " or ".join(map(repr, allowed))
        reject(name, f"one of {words}", value, f"Use {name}={allowed[0]!r}.")


def floating_dtype(dtype: object) -> str | None:
    """Return the name of float32 or float64, in any namespace, or None."""
    if dtype is None:
        return None
    name = getattr(dtype, "__name__", str(dtype)).split(".")[-1]
    if name not in ("float32", "float64"):
        reject("dtype", "float32, float64 or None", dtype, 'Use dtype="float32".')
    return name


def thread_count(n_threads: object) -> int | None:
    """Return a positive number of threads, or None."""
    if n_threads is None:
        return None
    if not isinstance(n_threads, Integral) or not _number(n_threads) >= 1:
        reject(
            "n_threads",
            "a whole number >= 1, or None",
            n_threads,
            "Use n_threads=None for as many threads as OpenMP would take.",
        )
    return int(n_threads)
