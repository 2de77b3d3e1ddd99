"""From labels to branches of the loss: one for hard labels, two for soft ones."""

from collections.abc import Iterator
from typing import Any

from focalboost._validation import require_labels
from focalboost.losses._arrays import Array
from focalboost.losses._binary import Branch, Sides, power, sides

__all__ = ["branches"]

_Pair = tuple[float, float]


def branches(
    y_true: Array,
    raw_prediction: Array,
    sample_weight: Array | None,
    gamma: _Pair,
    alpha: _Pair,
    xp: Any,
) -> Iterator[tuple[Array | float, Branch]]:
    """Yield (sign, branch): sign is that of the gradient, and -sign * raw the margin.

    A row with a hard label lies on one branch. A soft label's expected loss is the
    sum of both, weighted with y and 1 - y; it would give hard labels the same numbers
    at twice the price.
    """
    positive = y_true == 1
    if bool(xp.all(positive | (y_true == 0))):
        sign = 1 - 2 * y_true
        weight = _times(sample_weight, _of_class(y_true, *alpha))
        yield sign, _hard(y_true, sides(sign * raw_prediction, xp), weight, gamma, xp)
        return
    require_labels(xp, y_true)
    terms = ((-1.0, y_true, gamma[0], alpha[0]), (1.0, 1 - y_true, gamma[1], alpha[1]))
    for side, share, own_gamma, own_alpha in terms:
        parts = sides(side * raw_prediction, xp)
        weight = _times(sample_weight, own_alpha * share)
        yield side, Branch(parts, own_gamma, weight * power(parts.q, own_gamma, xp))


def _hard(
    y_true: Array, parts: Sides, weight: Array | float, gamma: _Pair, xp: Any
) -> Branch:
    own_gamma = _of_class(y_true, *gamma)
    if gamma[0] == gamma[1]:
        return Branch(parts, own_gamma, _times(power(parts.q, gamma[0], xp), weight))
    modulation = _of_class(y_true, *(power(parts.q, g, xp) for g in gamma))
    return Branch(parts, own_gamma, _times(modulation, weight))


def _of_class(
    y_true: Array, positive: Array | float, negative: Array | float
) -> Array | float:
    """The first for positives and the second for negatives.

    For labels 0 and 1 the sum is exact, and twice as fast as a choice by ``where``.
    """
    both_are_numbers = isinstance(positive, float) and isinstance(negative, float)
    if both_are_numbers and positive == negative:
        return positive
    return y_true * positive + (1 - y_true) * negative


def _times(first: Array | float | None, second: Array | float) -> Array | float:
    """The product; a factor None or 1 costs no pass over the other."""
    if first is None or (isinstance(first, float) and first == 1.0):
        return second
    return first if isinstance(second, float) and second == 1.0 else first * second
