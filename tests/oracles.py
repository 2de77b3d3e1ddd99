"""The focal loss in arbitrary precision: what the floating-point code is held against.

`definition` is the loss as the paper writes it. Everything else here is mpmath's
derivative of it, or a closed form that losses/test_oracle.py proves equal to that.
"""

from functools import cache
from typing import NamedTuple

import mpmath as mp
import numpy as np

__all__ = [
    "DIGITS",
    "Exact",
    "calibration",
    "closed_forms",
    "definition",
    "derivative",
    "exact_values",
    "margins",
    "minimiser",
    "rho",
    "risk",
]

#: Decimal digits that every value here is good for.
DIGITS = 60


def definition(m, gamma):
    """Return -(1 - p)**gamma * log(p) with p = expit(m), to the context's digits."""
    p = 1 / (1 + mp.exp(-m))
    return -((1 - p) ** gamma) * mp.log(p)


def derivative(m, gamma, order):
    """Return a derivative of the definition in m, by mpmath's differences.

    1 - p cancels 0.43*|m| digits, and phi'' lies as far below phi; |m| digits more
    than wanted make up for both.
    """
    with mp.workdps(DIGITS + int(abs(m)) + 1):
        return mp.diff(lambda at: definition(at, mp.mpf(gamma)), mp.mpf(m), order)


class Forms(NamedTuple):
    """What is known of the loss of a row of unit weight at one signed margin."""

    p: mp.mpf
    loss: mp.mpf
    slope: mp.mpf
    hessian: mp.mpf
    hessian_terms: mp.mpf  #: the hessian's terms, added with a plus sign each


def closed_forms(m, gamma):
    """Return the closed forms at the signed margin m."""
    with mp.workdps(DIGITS):
        m, gamma = mp.mpf(m), mp.mpf(gamma)
        u = mp.exp(-m)
        p, q, s = 1 / (1 + u), u / (1 + u), mp.log1p(u)
        modulation = q**gamma
        plus, minus = (1 + 2 * gamma) * q + gamma**2 * p * s, gamma * q * s
        return Forms(
            p=p,
            loss=modulation * s,
            slope=-modulation * (q + gamma * p * s),
            hessian=modulation * p * (plus - minus),
            hessian_terms=modulation * p * (plus + minus),
        )


def rho(learning_rate):
    """Return eta / log(2 / eta), the least p_t that the curvature reckons with."""
    with mp.workdps(DIGITS):
        eta = mp.mpf(learning_rate)
        return eta / mp.log(2 / eta)


def calibration(raw, gammas):
    """Return T(raw) = log|phi'(-raw; gamma_neg)| - log|phi'(raw; gamma_pos)|."""
    with mp.workdps(DIGITS):
        positive = closed_forms(raw, gammas[0]).slope
        negative = closed_forms(-mp.mpf(raw), gammas[1]).slope
        return mp.log(negative / positive)


def risk(raw, masses, gammas):
    """Return the loss of a constant raw prediction, given the masses of the classes."""
    with mp.workdps(DIGITS):
        positive = closed_forms(raw, gammas[0]).loss
        negative = closed_forms(-mp.mpf(raw), gammas[1]).loss
        return mp.mpf(masses[0]) * positive + mp.mpf(masses[1]) * negative


def minimiser(masses, gammas):
    """Return the raw prediction of least risk, by ternary search on the risk alone.

    The risk has no local minimum beside the global one. Near it the risk is flat to
    half of the digits, so 120 of them give 60 of the minimiser; 25 are asked for.
    """
    low, high = mp.mpf(-60), mp.mpf(60)
    with mp.workdps(DIGITS):
        while high - low > mp.mpf(10) ** -25:
            third = (high - low) / 3
            left = risk(low + third, masses, gammas)
            right = risk(high - third, masses, gammas)
            low, high = (low, high - third) if left < right else (low + third, high)
        return (low + high) / 2


class Exact(NamedTuple):
    """Exact values as sums of two float64 numbers, good for 32 digits."""

    high: np.ndarray
    low: np.ndarray

    @classmethod
    def of(cls, values):
        """Split exact numbers into a float64 number and the float64 rest."""
        high = np.array([float(value) for value in values])
        with mp.workdps(DIGITS):
            rest = [float(v - mp.mpf(h)) for v, h in zip(values, high, strict=True)]
        return cls(high, np.array(rest))

    def distance(self, actual):
        """Return |actual - exact|, free of cancellation."""
        return np.abs((np.asarray(actual, np.float64) - self.high) - self.low)


@cache
def margins(dtype):
    """Return margins dense in [-50, 50], close to 0, and out to 1e4, of both signs."""
    near, far = np.geomspace(1e-20, 0.1, 60), np.geomspace(50, 1e4, 400)
    # Where exp and log1p, or products of their values, begin to under- or overflow.
    borders = [*np.arange(84, 106), 88.8, *np.arange(700, 750), 708.4, 709.8]
    parts = (near, far, borders)
    dense = np.linspace(-50, 50, 2001)
    both = [dense, *parts, *(np.negative(part) for part in parts)]
    return np.unique(np.concatenate(both).astype(dtype))


@cache
def _forms_at_margins(gamma, dtype):
    return [closed_forms(float(m), gamma) for m in margins(dtype)]


@cache
def exact_values(gamma, largest_gamma, scale, learning_rate, dtype):
    """Return the exact values at all margins, of rows of the weight `scale`."""
    forms = _forms_at_margins(gamma, dtype)
    with mp.workdps(DIGITS):
        own, floor = 1 + mp.mpf(gamma), (1 + mp.mpf(largest_gamma)) * rho(learning_rate)
        values = {name: [getattr(f, name) for f in forms] for name in Forms._fields[1:]}
        values["curvature"] = [-f.slope * max(own * f.p, floor) for f in forms]
        return {
            name: Exact.of([mp.mpf(scale) * value for value in exact])
            for name, exact in values.items()
        }
