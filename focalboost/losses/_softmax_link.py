"""From rows of softmax raw predictions to class posteriors, and back.

At the minimiser of the expected loss alpha_k * eta_k * |dphi/dv|(v_k) is the same for
all classes, with v = softmax(z) and dphi/dv = phi'(m) / (v*(1 - v)) at the
one-against-rest margin m = logit(v). So the posterior is

    eta_k proportional to h(m_k) / alpha_k,   h(m) = v*(1 - v) / |phi'(m)|,

which is strictly increasing in m for every gamma >= 0, one for each true class or not.

Charoenphakdee et al., On Focal Loss for Class-Posterior Probability Estimation, 2021.
"""

from typing import Any

import numpy as np
from array_api_compat import device
from numpy.typing import NDArray
from scipy.optimize import elementwise
from scipy.special import expit, log_expit

from focalboost.losses._arrays import Array

__all__ = ["inverse_posterior", "log_weight", "margins"]


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

    With t = exp(-|m|) and l = log(1 + t): gamma*(m + l) - l - log1p(gamma*l/t) for
    m >= 0, and m - (1 - gamma)*l - log1p(gamma*t*(l - m)) below.
    """
    size = xp.abs(margin)
    t = xp.exp(-size)
    l = xp.log1p(t)  # noqa: E741 (the derivation's letter)
    ratio = xp.where(t > 0, l / xp.where(t > 0, t, 1 + t), 1 + t)
    easy = gamma * (size + l) - l - xp.log1p(gamma * ratio)
    hard = -size - (1 - gamma) * l - xp.log1p(gamma * t * (l + size))
    return xp.where(margin >= 0, easy, hard)


#: Margins within which the root is sought: v is 1e-304 at one end and 1 at the other.
_LOWEST, _HIGHEST = -700.0, 40.0


def inverse_posterior(
    log_target: NDArray[np.float64], gamma: tuple[float, ...]
) -> NDArray[np.float64]:
    """Return log v, rows summing to 1 in v, with h(v) proportional to exp(log_target).

    log h(m_k) = log_target_k + mu with one mu for each row. SciPy's root finder gives
    every m_k for a mu, and around it the mu for which the v_k sum to 1.
    """
    powers = np.asarray(gamma, dtype=np.float64)
    ends = [log_weight(m, powers, np) for m in (_LOWEST, _HIGHEST)]

    def margin(mu: Any, target: Any) -> Any:
        goal = np.clip(target + mu[..., None], *ends)
        start = (np.full_like(goal, _LOWEST), np.full_like(goal, _HIGHEST))
        return _root(_excess_weight, start, goal, np.broadcast_to(powers, goal.shape))

    def excess(mu: Any, row: Any) -> Any:
        return expit(margin(mu, log_target[row])).sum(axis=-1) - 1

    low, high = (np.min(end - log_target, axis=1) for end in ends)
    mu = _root(excess, (low, high), np.arange(len(log_target)))
    return np.asarray(log_expit(margin(mu, log_target)))


def _excess_weight(margin: Array, goal: Array, gamma: Array) -> Array:
    return log_weight(margin, gamma, np) - goal


def _root(function: Any, bracket: tuple[Any, Any], *arguments: Any) -> Any:
    find_root: Any = elementwise.find_root  # its stubs know no further arguments
    return find_root(function, bracket, args=arguments).x
