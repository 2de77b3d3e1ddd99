"""From labels to branches of the loss: one for hard labels, two for soft ones."""

from collections.abc import Iterator
from typing import Any

from array_api_compat import device

from focalboost._validation import require_labels
from focalboost.losses._arrays import Array
from focalboost.losses._binary import Branch, power, sides

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
    """Yield (sign, branch): the margin is -sign * raw, and sign that of the gradient.

    A row with a hard label lies on one branch. A soft label's expected loss is the
    sum of both, weighted with y and 1 - y; it would give hard labels the same numbers
    at twice the price.
    """
    positive = y_true == 1
    if bool(xp.all(positive | (y_true == 0))):
        sign = 1 - 2 * y_true
        weight = _times(sample_weight, _of_class(positive, alpha, raw_prediction, xp))
        yield sign, _hard(-sign * raw_prediction, positive, weight, gamma, xp)
        return
    require_labels(xp, y_true)
    terms = ((-1.0, y_true, gamma[0], alpha[0]), (1.0, 1 - y_true, gamma[1], alpha[1]))
    for side, share, own_gamma, own_alpha in terms:
        parts = sides(-side * raw_prediction, xp)
        weight = _times(sample_weight, own_alpha * share)
        yield side, Branch(parts, own_gamma, weight * power(parts.q, own_gamma, xp))


def _hard(
    margin: Array, positive: Array, weight: Array | float, gamma: _Pair, xp: Any
) -> Branch:
    parts = sides(margin, xp)
    modulation = power(parts.q, gamma[1], xp)
    if gamma[0] != gamma[1]:
        modulation = xp.where(positive, power(parts.q, gamma[0], xp), modulation)
    own_gamma = _of_class(positive, gamma, margin, xp)
    return Branch(parts, own_gamma, _times(modulation, weight))


def _of_class(positive: Array, pair: _Pair, like: Array, xp: Any) -> Array | float:
    """The first of the pair for positives and the second for negatives."""
    if pair[0] == pair[1]:
        return pair[0]
    first, second = (
        xp.asarray(value, dtype=like.dtype, device=device(like)) for value in pair
    )
    return xp.where(positive, first, second)


def _times(array: Array | None, factor: Array | float) -> Array | float:
    """The product, without a pass over the array for a factor of 1 or no array."""
    if array is None:
        return factor
    return array if isinstance(factor, float) and factor == 1.0 else array * factor
