"""The focal loss in arbitrary precision: what the float64 code is compared with.

`definition` is the loss as the paper writes it. Everything else here is differentiated
from it by mpmath, or is a closed form that losses/test_oracle.py proves equal to that.
"""

from functools import cache
from typing import NamedTuple

import mpmath as mp
import numpy as np

__all__ = [
    "Doubled",
    "calibration",
    "closed_forms",
    "curvature_floor",
    "definition",
    "derivative",
    "margins",
    "risk",
    "values_at_margins",
]

#: Decimal digits that are left in every value.
DIGITS = 60


def definition(m, gamma):
    """Return -(1 - p)**gamma * log(p) with p = expit(m), to the context's digits."""
    p = 1 / (1 + mp.exp(-m))
    return -((1 - p) ** gamma) * mp.log(p)


def derivative(m, gamma, order):
    """Return a derivative of the definition in m, by mpmath's differences.

    1 - p cancels 0.43*|m| digits, and phi'' falls as far below phi; |m| digits more
    than wanted make up for both.
    """
    with mp.workdps(DIGITS + int(abs(m)) + 1):
        return mp.diff(lambda at: definition(at, mp.mpf(gamma)), mp.mpf(m), order)


class Forms(NamedTuple):
    """The loss of a positive row of unit weight and what is derived from it."""

    loss: mp.mpf
    gradient: mp.mpf
    hessian: mp.mpf
    hessian_terms: mp.mpf  #: the hessian with a plus sign before each of its terms
    p: mp.mpf


def closed_forms(m, gamma):
    """Return the closed forms at a margin m = (2*y - 1) * raw_prediction."""
    with mp.workdps(DIGITS):
        m, gamma = mp.mpf(m), mp.mpf(gamma)
        u = mp.exp(-m)
        p, q, s = 1 / (1 + u), u / (1 + u), mp.log1p(u)
        modulation = q**gamma
        rising = (1 + 2 * gamma) * q + gamma**2 * p * s
        falling = gamma * q * s
        return Forms(
            loss=modulation * s,
            gradient=-modulation * (q + gamma * p * s),
            hessian=modulation * p * (rising - falling),
            hessian_terms=modulation * p * (rising + falling),
            p=p,
        )


def curvature_floor(largest_gamma, max_learning_rate):
    """Return (1 + gamma) * rho, the least curvature per unit of |gradient|."""
    with mp.workdps(DIGITS):
        eta = mp.mpf(max_learning_rate)
        return (1 + mp.mpf(largest_gamma)) * eta / mp.log(2 / eta)


def calibration(raw, gammas):
    """Return T(raw) = log|phi'(-raw; gamma_neg)| - log|phi'(raw; gamma_pos)|."""
    with mp.workdps(DIGITS):
        positive = closed_forms(raw, gammas[0]).gradient
        negative = closed_forms(-mp.mpf(raw), gammas[1]).gradient
        return mp.log(-negative) - mp.log(-positive)


def risk(raw, masses, gammas):
    """Return the total loss of a constant raw prediction, given the class masses."""
    with mp.workdps(DIGITS):
        positive = closed_forms(raw, gammas[0]).loss
        negative = closed_forms(-mp.mpf(raw), gammas[1]).loss
        return mp.mpf(masses[0]) * positive + mp.mpf(masses[1]) * negative


class Doubled(NamedTuple):
    """Exact values as sums of two float64 numbers, good for 32 digits."""

    high: np.ndarray
    low: np.ndarray


def doubled(values):
    """Split exact numbers into their float64 value and the remainder."""
    high = np.array([float(value) for value in values])
    rest = [value - mp.mpf(part) for value, part in zip(values, high, strict=True)]
    return Doubled(high, np.array([float(part) for part in rest]))


@cache
def margins(dtype):
    """Return margins dense in [-50, 50], close to 0, and out to 1e4, both signs."""
    near, far = np.geomspace(1e-20, 0.1, 60), np.geomspace(50, 1e4, 400)
    # The borders at which exp, and the functions built on it, under- or overflow.
    borders = [87.0, 88.0, 88.8, 103.0, 104.0, 708.0, 709.0, 709.8, 745.0, 746.0]
    dense = np.linspace(-50, 50, 2001)
    parts = (dense, near, -near, far, -far, borders, np.negative(borders))
    return np.unique(np.concatenate(parts).astype(dtype))


@cache
def values_at_margins(gamma, largest_gamma, dtype):
    """Return the closed forms at all margins, and the certified curvature."""
