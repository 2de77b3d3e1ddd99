r"""Formulas of the binary focal loss as functions of one signed margin.

With m = (2y - 1) * raw_prediction, p = expit(m), q = expit(-m) and s = -log(p), the
loss of one row of unit weight is

    phi(m)   =  q**gamma * s
    phi'(m)  = -q**gamma * (q + gamma*p*s)
    phi''(m) =  q**gamma * p * ((1 + 2*gamma)*q + gamma*s*(gamma*p - q))

because dp/dm = p*q, dq/dm = -p*q and ds/dm = -q. There is no branch on the label and
no epsilon: every factor but s ~ |m| is bounded, and phi' is a sum of terms of one sign.
Writing them with q**(gamma - 1), as is common, would be 0 * inf for gamma < 1.

Lin et al., Focal Loss for Dense Object Detection, 2017.
"""

import math
from typing import Any, NamedTuple

from focalboost.losses._arrays import Array

__all__ = [
    "Branch",
    "Sides",
    "any_power",
    "certified_curvature",
    "curvature_floor",
    "power",
    "second_derivative",
    "sides",
    "steepness",
    "value",
]


class Sides(NamedTuple):
    """p = expit(m), q = expit(-m) and s = -log(p)."""

    p: Array
    q: Array
    s: Array


class Branch(NamedTuple):
    """What value and derivatives of scale * phi share at given margins."""

    sides: Sides
    gamma: Array | float
    modulation: Array | float  #: scale * q**gamma


def sides(opposite: Array, xp: Any) -> Sides:
    """Return p, q and s for opposite = -m, to a few ulp, if m is within 1e30 of 0.

    With u = exp(-m), p = 1/(1 + u), q = u*p and s = log1p(u) keep their relative
    accuracy at both ends, where 1 - p has none left (m > 36 in float64, m > 16 in
    float32). u is held below overflow; beyond that s = -m to the last bit, which the
    maximum supplies because s > -m everywhere, and p stays just below the smallest
    normal number instead of reaching 0.
    """
    # NumPy compares two arrays three times as fast as an array and a number.
    limit = xp.full_like(opposite, _overflow(opposite, xp))
    u = xp.exp(xp.minimum(opposite, limit))
    p = 1 / (1 + u)
    return Sides(p=p, q=u * p, s=xp.maximum(xp.log1p(u), opposite))


def _overflow(like: Array, xp: Any) -> float:
    """The largest whole number whose exp is finite: 88 in float32, 709 in float64."""
    return float(math.floor(math.log(xp.finfo(like.dtype).max)))


def power(q: Array, gamma: float, xp: Any) -> Array | float:
    """Return q**gamma, by products and roots where that is possible.

    Through pow the relative error of q is amplified gamma times at most; through
    exp(-gamma * softplus(m)) it would be gamma * |m| times.
    """
    if gamma == 0:
        return 1.0
    whole = int(gamma)
    if gamma - whole not in (0.0, 0.5) or whole > 3:
        return any_power(q, gamma, xp)
    factors = [q] * whole + [xp.sqrt(q)] * (gamma != whole)
    return math.prod(factors[1:], start=factors[0])


def any_power(q: Array, gamma: Array | float, xp: Any) -> Array:
    """Return q**gamma through pow in float64, gamma being a number or float64 numbers.

    A gamma rounded to float32 would cost gamma * |log q| times its relative error.
    """
    return xp.astype(xp.astype(q, xp.float64) ** gamma, q.dtype)


def value(branch: Branch) -> Array:
    """Return scale * phi(m)."""
    return branch.modulation * branch.sides.s


def steepness(branch: Branch) -> Array:
    """Return scale * |phi'(m)|; phi itself falls everywhere."""
    p, q, s = branch.sides
    if isinstance(branch.gamma, float) and branch.gamma == 0:
        return branch.modulation * q
    return branch.modulation * (q + branch.gamma * p * s)


def second_derivative(branch: Branch, xp: Any) -> Array:
    """Return scale * phi''(m), which is negative for the hardest rows if gamma > 0.

    Where ``sides`` held p above its true value, exp(-s), q is 1 to the last bit.
    """
    p, q, s = branch.sides
    gamma = branch.gamma
    bend = (1 + 2 * gamma) * p * q + gamma * (p * s) * (gamma * p - q)
    hardest = xp.exp(-s) * (1 + 2 * gamma - gamma * s)
    return branch.modulation * xp.where(s < _overflow(s, xp), bend, hardest)


def certified_curvature(branch: Branch, steep: Array, floor: float, xp: Any) -> Array:
    """Return steep * max((1 + gamma) * p, floor), steep being the steepness.

    Without the floor it bounds phi'' from above, because s >= q and p*s <= q. With
    floor = (1 + largest gamma) * rho no boosting round raises the loss: a leaf moves
    by at most eta / floor, and within that distance phi'' stays below 2/eta times
    the curvature.
    """
    slope = (1 + branch.gamma) * branch.sides.p
    return steep * xp.maximum(slope, xp.full_like(slope, floor))


def curvature_floor(largest_gamma: float, max_learning_rate: float) -> float:
    """Return (1 + gamma) * rho with rho = eta / log(2 / eta)."""
    rho = max_learning_rate / math.log(2 / max_learning_rate)
    return (1 + largest_gamma) * rho
