r"""From raw predictions to class posteriors, and back to the best constant.

**Binary loss.** The minimiser z of the expected focal loss at posterior eta satisfies

    alpha_pos * eta * |phi'(z; gamma_pos)|
        = alpha_neg * (1 - eta) * |phi'(-z; gamma_neg)|,

hence logit(eta) = T(z) - log(alpha_pos / alpha_neg), where

    T(z) = log|phi'(-z; gamma_neg)| - log|phi'(z; gamma_pos)|

is strictly increasing for all gammas >= 0 (T' > gamma_neg*q + gamma_pos*p), odd if
both gammas are equal, and the identity if both are 0. The constant that minimises the
loss of a data set solves the same equation, with the class masses in place of eta.

**Softmax loss.** At the minimiser, alpha_k * eta_k * |dphi/dv|(v_k) is the same for all
classes, where v = softmax(z) and dphi/dv = phi'(m) / (v*(1 - v)) at the
one-against-rest margin m = logit(v). So the posterior is

    eta_k proportional to h(m_k) / alpha_k,   h(m) = v*(1 - v) / |phi'(m)|,

and h is strictly increasing for every gamma >= 0. Each true class may have a gamma of
its own.

Charoenphakdee et al., On Focal Loss for Class-Posterior Probability Estimation, 2021.
"""

from typing import Any

import numpy as np
from array_api_compat import device
from numpy.typing import NDArray

from focalboost.losses._evaluate import Array, numpy_namespace


def log_odds(raw: Array, gamma: tuple[float, ...], xp: Any) -> Array:
    r"""Return T(raw), the log-odds of the posterior under equal alphas.

    Let a = |raw|, t = exp(-a), soft = log(1 + t) and lambda = soft/t, and let "own" be
    the gamma of the class that raw predicts. Then

        |T| = (1 + own)*a + (own - other)*soft
              + log1p((other*delta + (other - own)*lambda) / (1 + own*lambda)),

    where delta = t*(a + soft) - lambda. This difference cancels for a < 1. There it is
    computed as t*a - 2*soft*sinh(a), whose two terms are both of order a.
    """
    a = xp.abs(raw)
    t = xp.exp(-a)
    soft = xp.log1p(t)
    lam = _ratio(soft, t, xp)
    small = xp.minimum(a, 1.0)
    delta = xp.where(a < 1, t * a - 2 * soft * xp.sinh(small), t * (a + soft) - lam)
    own, other = _by_sign(raw, gamma, xp)
    inner = (other * delta + (other - own) * lam) / (1 + own * lam)
    size = (1 + own) * a + (own - other) * soft + xp.log1p(inner)
    return xp.where(raw >= 0, size, -size)


def _ratio(soft: Array, t: Array, xp: Any) -> Array:
    """log(1 + t) / t, also where t has underflowed."""
    return xp.where(t > 0, soft / xp.where(t > 0, t, 1 + t), 1 + t)


def _by_sign(raw: Array, gamma: tuple[float, ...], xp: Any) -> tuple[Any, Any]:
    """The gamma of the class that raw predicts, and the gamma of the other class."""
    if gamma[0] == gamma[1]:
        return gamma[0], gamma[1]
    positive, negative = (xp.full_like(raw, value) for value in gamma)
    side = raw >= 0
    return xp.where(side, positive, negative), xp.where(side, negative, positive)


def inverse_log_odds(log_odds_value: Any, gamma: tuple[float, ...]) -> Any:
    """Return the raw predictions with the given log-odds, to the last bits of float64.

    T grows at least as fast as raw, up to a constant of log(1 + gamma). That is below 7
    for the largest gamma, so the bracket is safe.
    """
    target = np.asarray(log_odds_value, dtype=np.float64)
    if not any(gamma):
        return target  # T is the identity, as the posterior is expit
    reach = np.abs(target) + 30

    def excess(raw: Array, goal: Array) -> Array:
        return log_odds(raw, gamma, numpy_namespace) - goal

    return _root(excess, (-reach, reach), target)


def margins(raw_prediction: Array, xp: Any) -> Array:
    """Return z_k - logsumexp of the other classes, finite for every finite row."""
    largest = xp.max(raw_prediction, axis=1, keepdims=True)
    column = xp.arange(raw_prediction.shape[1], device=device(raw_prediction))
    is_top = xp.argmax(raw_prediction, axis=1, keepdims=True) == column
    lowest = xp.finfo(raw_prediction.dtype).min
    below = xp.where(is_top, xp.full_like(raw_prediction, lowest), raw_prediction)
    second = xp.max(below, axis=1, keepdims=True)
    others = xp.sum(xp.exp(below - second), axis=1, keepdims=True)
    of_top = raw_prediction - second - xp.log(others)
    size = xp.where(is_top, 0 * raw_prediction, xp.exp(raw_prediction - largest))
    rest = 1 + xp.sum(size, axis=1, keepdims=True) - size
    return xp.where(is_top, of_top, raw_prediction - largest - xp.log(rest))


def log_weight(margin: Array, gamma: Array | float, xp: Any) -> Array:
    """Return log h(margin).

    With t = exp(-|m|) and soft = log(1 + t), it is

        gamma*(m + soft) - soft - log1p(gamma*soft/t)     for m >= 0,
        m - (1 - gamma)*soft - log1p(gamma*t*(soft - m))  for m < 0.
    """
    size = xp.abs(margin)
    t = xp.exp(-size)
    soft = xp.log1p(t)
    easy = gamma * (size + soft) - soft - xp.log1p(gamma * _ratio(soft, t, xp))
    hard = -size - (1 - gamma) * soft - xp.log1p(gamma * t * (soft + size))
    return xp.where(margin >= 0, easy, hard)


#: The root is sought between these margins: v is 1e-304 at one end and 1 at the other.
_LOWEST, _HIGHEST = -700.0, 40.0


def inverse_posterior(
    log_target: NDArray[np.float64], gamma: tuple[float, ...]
) -> NDArray[np.float64]:
    """Return log v such that h(v) is proportional to exp(log_target) in every row.

    The rows of v sum to 1. log h(m_k) = log_target_k + mu, with one mu for each row.
    The inner root finder gives every m_k for a mu, and the outer one finds the mu for
    which the v_k sum to 1.
    """
    from scipy.special import expit, log_expit

    powers = np.asarray(gamma, dtype=np.float64)
    ends = [log_weight(m, powers, np) for m in (_LOWEST, _HIGHEST)]

    def margin(mu: Any, target: Any) -> Any:
        goal = np.clip(target + mu[..., None], *ends)
        start = (np.full_like(goal, _LOWEST), np.full_like(goal, _HIGHEST))
        return _root(excess_weight, start, goal, np.broadcast_to(powers, goal.shape))

    def excess_weight(m: Any, goal: Any, gamma: Any) -> Any:
        return log_weight(m, gamma, np) - goal

    def excess(mu: Any, row: Any) -> Any:
        return expit(margin(mu, log_target[row])).sum(axis=-1) - 1

    low, high = (np.min(end - log_target, axis=1) for end in ends)
    mu = _root(excess, (low, high), np.arange(len(log_target)))
    return np.asarray(log_expit(margin(mu, log_target)))


def _root(function: Any, bracket: tuple[Any, Any], *arguments: Any) -> Any:
    """The root between two ends, for each entry of arrays."""
    from scipy.optimize import elementwise  # .2 s that importing a loss need not take

    find_root: Any = elementwise.find_root  # its stubs know no further arguments
    return find_root(function, bracket, args=arguments).x
