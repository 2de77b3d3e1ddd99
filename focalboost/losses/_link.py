r"""From raw predictions to the class posterior, and back to the best constant.

The minimiser z of the expected focal loss at posterior eta satisfies

    alpha_pos * eta * |phi'(z; gamma_pos)|
        = alpha_neg * (1 - eta) * |phi'(-z; gamma_neg)|,

hence logit(eta) = T(z) - log(alpha_pos / alpha_neg), where

    T(z) = log|phi'(-z; gamma_neg)| - log|phi'(z; gamma_pos)|

is strictly increasing for all gammas >= 0 (T' > gamma_neg*q + gamma_pos*p), odd if
both gammas are equal, and the identity if both are 0. The constant that minimises the
loss of a data set is the same equation with the class masses in place of eta.

Charoenphakdee et al., On Focal Loss for Class-Posterior Probability Estimation, 2021.
"""

from typing import Any

import numpy as np
from scipy.optimize import elementwise

from focalboost.losses._arrays import Array, numpy_namespace

__all__ = ["inverse_log_odds", "log_odds"]


def log_odds(raw: Array, gamma: tuple[float, float], xp: Any) -> Array:
    r"""Return T(raw), the log-odds of the posterior under equal alphas.

    For a = |raw| and t = exp(-a), with l = log(1 + t), lambda = l/t and "own" the
    gamma of the class that raw speaks for,

        |T| = (1 + own)*a + (own - other)*l
              + log1p((other*delta + (other - own)*lambda) / (1 + own*lambda)),

    where delta = t*(a + l) - lambda. Below a = 1 that difference cancels; it is
    t*a - 2*l*sinh(a) there, whose two terms are both of order a.
    """
    a = xp.abs(raw)
    t = xp.exp(-a)
    l = xp.log1p(t)  # noqa: E741 (the derivation's letter)
    lam = xp.where(t > 0, l / xp.where(t > 0, t, 1 + t), 1 + t)
    small = xp.minimum(a, 1.0)
    delta = xp.where(a < 1, t * a - 2 * l * xp.sinh(small), t * (a + l) - lam)
    own, other = _by_sign(raw, gamma, xp)
    ratio = (other * delta + (other - own) * lam) / (1 + own * lam)
    size = (1 + own) * a + (own - other) * l + xp.log1p(ratio)
    return xp.where(raw >= 0, size, -size)


def _by_sign(raw: Array, gamma: tuple[float, float], xp: Any) -> tuple[Any, Any]:
    """The gamma of the class on the side of raw, and that of the other class."""
    if gamma[0] == gamma[1]:
        return gamma
    positive, negative = (xp.full_like(raw, value) for value in gamma)
    side = raw >= 0
    return xp.where(side, positive, negative), xp.where(side, negative, positive)


def inverse_log_odds(log_odds_value: Any, gamma: tuple[float, float]) -> Any:
    """Return the raw prediction whose log-odds are given, by SciPy's root finder.

    T grows at least as fast as raw up to a constant of log(1 + gamma), below 7 for the
    largest gamma, which makes the bracket safe; the root is found to the last bits in
    float64, on the host.
    """
    target = np.asarray(log_odds_value, dtype=np.float64)
    reach = np.abs(target) + 30

    def excess(raw: Array, goal: Array) -> Array:
        return log_odds(raw, gamma, numpy_namespace) - goal

    with np.errstate(under="ignore"):
        result = elementwise.find_root(excess, (-reach, reach), args=(target,))
    return result.x
