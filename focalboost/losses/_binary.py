r"""Formulas of the binary focal loss as functions of one signed margin.

With m = (2y - 1) * raw_prediction, p = expit(m), q = expit(-m) and s = -log(p), the
loss of one row of unit weight is

    phi(m)   =  q**gamma * s
    phi'(m)  = -q**gamma * (q + gamma*p*s)
    phi''(m) =  q**gamma * p * ((1 + 2*gamma)*q + gamma*s*(gamma*p - q))

because dp/dm = p*q, dq/dm = -p*q and ds/dm = -q. There is no branch on the label and
no epsilon. Every factor but s ~ |m| is bounded, and phi' is a sum of terms of one sign.
The usual form with q**(gamma - 1) would be 0 * inf for gamma < 1.

The loss of a soft label y is the expected loss, y * loss(1) + (1 - y) * loss(0).

Lin et al., Focal Loss for Dense Object Detection, 2017.
"""

import math
import operator
from collections.abc import Iterable, Iterator
from functools import reduce
from typing import Any, NamedTuple

from focalboost._validation import require_labels
from focalboost.losses._evaluate import Array


class Branch(NamedTuple):
    """What value and derivatives of scale * phi share at given margins."""

    p: Array
    q: Array
    s: Array
    gamma: Array | float
    modulation: Array | float  #: scale * q**gamma


#: A branch, and the sign of the gradient on it: the margin is -sign * raw_prediction.
Signed = tuple[Array | float, Branch]


def rows(
    y_true: Array,
    raw_prediction: Array,
    sample_weight: Array | None,
    gamma: tuple[float, ...],
    alpha: tuple[float, float],
    xp: Any,
) -> Iterator[Signed]:
    """Yield the branches whose sum is the loss: one for hard labels, else two.

    Two branches would give hard labels the same numbers at twice the price.
    """
    positive = y_true == 1
    if bool(xp.all(positive | (y_true == 0))):
        sign = 1 - 2 * y_true
        p, q, s = sides(sign * raw_prediction, xp)
        if gamma[0] == gamma[1]:
            modulation = power(q, gamma[0], xp)
        else:
            modulation = _of_class(y_true, *(power(q, g, xp) for g in gamma))
        weight = _times(sample_weight, _of_class(y_true, *alpha))
        scale = _times(modulation, weight)
        yield sign, Branch(p, q, s, _of_class(y_true, *gamma), scale)
        return
    require_labels(xp, y_true)
    terms = ((-1.0, y_true, gamma[0], alpha[0]), (1.0, 1 - y_true, gamma[1], alpha[1]))
    for sign, share, own_gamma, own_alpha in terms:
        p, q, s = sides(sign * raw_prediction, xp)
        weight = _times(sample_weight, own_alpha * share)
        yield sign, Branch(p, q, s, own_gamma, weight * power(q, own_gamma, xp))


def loss(branches: Iterable[Signed], xp: Any) -> tuple[Array, ...]:
    """Return the loss."""
    return _summed((value(branch),) for _, branch in branches)


def gradient(branches: Iterable[Signed], xp: Any) -> tuple[Array, ...]:
    """Return the gradient."""
    return _summed((sign * steepness(branch),) for sign, branch in branches)


def gradient_hessian(branches: Iterable[Signed], xp: Any) -> tuple[Array, ...]:
    """Return the gradient and the hessian."""
    return _summed(
        (sign * steepness(branch), second_derivative(branch, xp))
        for sign, branch in branches
    )


def gradient_curvature(
    branches: Iterable[Signed], floor: float, xp: Any
) -> tuple[Array, ...]:
    """Return the gradient and the certified curvature.

    The curvature of a branch is |phi'| * max((1 + gamma) * p, floor). Without the floor
    it bounds phi'' from above, because s >= q and p*s <= q. With the floor of
    ``curvature_floor`` no boosting round raises the loss: a leaf moves by at most
    eta / floor, and within that distance phi'' stays below 2/eta times the curvature.
    """
    return _summed(
        (sign * steep, steep * at_least(floor, (1 + branch.gamma) * branch.p, xp))
        for sign, branch in branches
        for steep in (steepness(branch),)
    )


def curvature_floor(largest_gamma: float, max_learning_rate: float) -> float:
    """Return (1 + gamma) * rho, where rho = eta / log(2 / eta)."""
    rho = max_learning_rate / math.log(2 / max_learning_rate)
    return (1 + largest_gamma) * rho


def _summed(terms: Iterable[tuple[Array, ...]]) -> tuple[Array, ...]:
    """The sums over the branches."""
    return tuple(reduce(operator.add, of_each) for of_each in zip(*terms, strict=True))


def sides(opposite: Array, xp: Any) -> tuple[Array, Array, Array]:
    """Return p, q and s for opposite = -m, to a few ulp, if m is within 1e30 of 0.

    With u = exp(-m), p = 1/(1 + u), q = u*p and s = log1p(u) keep their relative
    accuracy at both ends, where 1 - p has none left (m > 36 in float64, m > 16 in
    float32). u is held below overflow. Beyond that s = -m to the last bit, which the
    maximum supplies because s > -m everywhere, and p stays just below the smallest
    normal number and does not reach 0.
    """
    limit = xp.full_like(opposite, _overflow(opposite, xp))  # see at_least
    u = xp.exp(xp.minimum(opposite, limit))
    p = 1 / (1 + u)
    return p, u * p, xp.maximum(xp.log1p(u), opposite)


def _overflow(like: Array, xp: Any) -> float:
    """The largest whole number whose exp is finite: 88 in float32, 709 in float64."""
    return float(math.floor(math.log(xp.finfo(like.dtype).max)))


def power(q: Array, gamma: float, xp: Any) -> Array | float:
    """Return q**gamma, by products and roots where that is possible.

    pow amplifies the relative error of q by at most gamma. exp(-gamma * softplus(m))
    would amplify it by gamma * |m|.
    """
    if gamma == 0:
        return 1.0
    whole = int(gamma)
    if gamma - whole not in (0.0, 0.5) or whole > 3:
        return any_power(q, gamma, xp)
    factors = [q] * whole + [xp.sqrt(q)] * (gamma != whole)
    return math.prod(factors[1:], start=factors[0])


def any_power(q: Array, gamma: Array | float, xp: Any) -> Array:
    """Return q**gamma through pow in float64; gamma is a number or a float64 array.

    Rounding gamma to float32 would cost gamma * |log q| times its relative error.
    """
    return xp.astype(xp.astype(q, xp.float64) ** gamma, q.dtype)


def at_least(floor: float, values: Array, xp: Any) -> Array:
    """Return the larger of floor and each value.

    NumPy compares two arrays three times as fast as an array and a number.
    """
    return xp.maximum(values, xp.full_like(values, floor))


def value(branch: Branch) -> Array:
    """Return scale * phi(m)."""
    return branch.modulation * branch.s


def steepness(branch: Branch) -> Array:
    """Return scale * |phi'(m)|; phi' itself is negative everywhere."""
    p, q, s, gamma, modulation = branch
    if isinstance(gamma, float) and gamma == 0:
        return modulation * q
    return modulation * (q + gamma * p * s)


def second_derivative(branch: Branch, xp: Any) -> Array:
    """Return scale * phi''(m), which is negative for the hardest rows if gamma > 0.

    Where ``sides`` held p above its true value, exp(-s), q is 1 to the last bit.
    """
    p, q, s, gamma, modulation = branch
    bend = (1 + 2 * gamma) * p * q + gamma * (p * s) * (gamma * p - q)
    hardest = xp.exp(-s) * (1 + 2 * gamma - gamma * s)
    return modulation * xp.where(s < _overflow(s, xp), bend, hardest)


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
    """The product. A factor that is None or 1 costs no pass over the other."""
    if first is None or (isinstance(first, float) and first == 1.0):
        return second
    return first if isinstance(second, float) and second == 1.0 else first * second
