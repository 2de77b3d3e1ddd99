r"""Formulas of the softmax focal loss for rows of K raw predictions.

With p = softmax(z) and true class y, a row is a binary problem in the margin
m = z_y - logsumexp of the others: p_y = expit(m), q = 1 - p_y, s = -log(p_y), and its
loss is scale * phi(m), phi of ``_binary``. With r_k = p_k / q, the softmax over the
classes other than y, and steep = scale * |phi'(m)|,

    gradient_y = -steep              gradient_k = steep * r_k
    hessian_yy = scale * phi''(m)    hessian_kk = steep*r_k*(1 - p_k) + bend*r_k**2

with bend = scale * gamma * p_y * q**gamma * (2*q + s*(gamma*p_y - 1)).

Because s >= q, the hessian is at most (1 + gamma) * steep/q * (diag(p) - p p^T), and
diag(p) - p p^T is at most twice its diagonal. Hence the certified curvature

    2 * |gradient_k| * (1 + gamma) * max(p_y if k = y else 1 - p_k, rho).

Theorem. With it, one tree for each class, leaf values -eta * G / (C + lambda) of the
sums of gradient and curvature, and rho = eta / log(2/eta), no round raises the loss.
Proof. A leaf moves by at most eta / (2*(1 + gamma)*rho), so two classes of a row, and
with them every one-against-rest margin, move apart by at most
D = eta / ((1 + gamma)*rho). That changes p_k*(1 - p_k) by a factor of at most exp(D),
since its logarithm has slope 1 - 2*p_k in the margin of k, and steep/q by at most
exp(gamma*D), since its logarithm has slope

    gamma * p * (s - gamma*p*s - 2*q) / (q + gamma*p*s),   between -gamma and gamma,

in m (p*s <= q <= s). So along the step the quadratic form of the hessian stays below
exp((1 + gamma)*D) = 2/eta times that of the curvature, and no leaf's
-eta * G**2/(C + lambda) * (1 - eta*exp((1 + gamma)*D)/2) is positive. With one gamma
for each true class, the floor takes the largest of them.

Lin et al., 2017; the bounds are derived here.
"""

from typing import Any, NamedTuple

from array_api_compat import device

from focalboost.losses._arrays import Array
from focalboost.losses._binary import (
    Branch,
    Sides,
    any_power,
    power,
    second_derivative,
    steepness,
)

__all__ = [
    "Rows",
    "certified_curvature",
    "gradient",
    "hessian",
    "hessian_diagonal",
    "rows",
]


class Rows(NamedTuple):
    """What value and derivatives share: per row the branch, per class the shares."""

    branch: Branch  #: of the true class; every array has shape (n, 1)
    truth: Array  #: 1 in the column of the true class, else 0, (n, K)
    complement: Array  #: 1 - softmax, to a few ulp, (n, K)
    share: Array  #: p_k / q, the softmax without the true class, whose share is 0


def rows(
    y_true: Array,
    raw_prediction: Array,
    sample_weight: Array | None,
    gamma: tuple[float, ...],
    alpha: tuple[float, ...] | None,
    xp: Any,
) -> Rows:
    """Return what the formulas below share.

    exp never sees a positive number, and the largest class, whose exp is 1, stays out
    of the sum ``tail``: so 1 - p = (tail + (1 - size)) / (1 + tail), a sum of positive
    terms, keeps its accuracy where p rounds to 1. Products with 0 and 1 choose entries
    exactly, several times as fast as ``where``.
    """
    truth = _indicator(y_true, raw_prediction, xp)
    below = raw_prediction - xp.max(raw_prediction, axis=1, keepdims=True)
    size = xp.exp(below)
    is_largest = xp.astype(below == 0, below.dtype)
    tail = _sum(size - is_largest, xp) + (_sum(is_largest, xp) - 1)
    own = _sum(below * truth, xp)
    own_size = xp.exp(own)
    parts = Sides(
        p=own_size / (1 + tail),
        q=(tail + (1 - own_size)) / (1 + tail),
        s=xp.log1p(tail) - own,
    )
    branch = _branch(parts, truth, sample_weight, gamma, alpha, xp)
    others = size * (1 - truth)
    rest = _sum(others, xp)
    share = others / xp.where(rest > 0, rest, 1 + rest)
    return Rows(branch, truth, (tail + (1 - size)) / (1 + tail), share)


def _indicator(y_true: Array, raw_prediction: Array, xp: Any) -> Array:
    """1 in the column of the label, else 0; a column lies together in memory."""
    place = {"dtype": raw_prediction.dtype, "device": device(raw_prediction)}
    column = xp.arange(raw_prediction.shape[1], **place)
    by_class = column[:, None] == y_true[None, :]
    return xp.permute_dims(xp.astype(by_class, raw_prediction.dtype), (1, 0))


def _branch(
    parts: Sides,
    truth: Array,
    sample_weight: Array | None,
    gamma: tuple[float, ...],
    alpha: tuple[float, ...] | None,
    xp: Any,
) -> Branch:
    """The branch of each row's true class, with its gamma, alpha and weight."""
    if len(set(gamma)) == 1:
        own_gamma, modulation = gamma[0], power(parts.q, gamma[0], xp)
    else:
        exact = _of_truth(gamma, xp.astype(truth, xp.float64), xp)
        own_gamma = xp.astype(exact, truth.dtype)
        modulation = any_power(parts.q, exact, xp)
    if alpha is not None:
        modulation = modulation * _of_truth(alpha, truth, xp)
    if sample_weight is not None:
        modulation = modulation * sample_weight[:, None]
    return Branch(parts, own_gamma, modulation)


def _sum(values: Array, xp: Any) -> Array:
    """Row sums, shape (n, 1)."""
    return xp.sum(values, axis=1, keepdims=True)


def _of_truth(values: tuple[float, ...], truth: Array, xp: Any) -> Array:
    """The value of each row's true class, in the dtype of truth, shape (n, 1)."""
    row = xp.asarray(values, dtype=truth.dtype, device=device(truth))
    return _sum(row * truth, xp)


def gradient(rows: Rows, xp: Any) -> Array:
    """Return the gradient, (n, K)."""
    return steepness(rows.branch) * (rows.share - rows.truth)


def hessian_diagonal(rows: Rows, xp: Any) -> Array:
    """Return the exact second derivatives in each class, (n, K)."""
    steep, share = steepness(rows.branch), rows.share
    others = steep * share * rows.complement + _bend(rows.branch) * share**2
    return others + rows.truth * second_derivative(rows.branch, xp)


def hessian(rows: Rows, xp: Any) -> Array:
    """Return the full hessian, (n, K, K), for study; its rows sum to zero.

    It is phi''(m) * u u^T + steep * (diag(r) - r r^T) with u = -1 for the true class
    and r_k for the others, by the chain rule: -u is the gradient of m. The entries
    r_k * (1 - r_k) are summed up from the products r_k * r_j, which does not cancel.
    """
    r = rows.share
    u = r - rows.truth
    outer_u, outer_r = (v[:, :, None] * v[:, None, :] for v in (u, r))
    eye = xp.eye(r.shape[1], dtype=r.dtype, device=device(r))
    apart = outer_r * (1 - eye)
    spread = eye * xp.sum(apart, axis=2, keepdims=True) - apart
    steep, bend = steepness(rows.branch), second_derivative(rows.branch, xp)
    return bend[:, :, None] * outer_u + steep[:, :, None] * spread


def certified_curvature(rows: Rows, slope: Array, floor: float, xp: Any) -> Array:
    """Return |slope| * max(2*(1 + gamma) * (p_y or 1 - p_k), floor).

    The floor is 2 * (1 + largest gamma) * rho.
    """
    truth = rows.truth
    side = truth * rows.branch.sides.p + (1 - truth) * rows.complement
    bound = 2 * (1 + rows.branch.gamma) * side
    return xp.abs(slope) * xp.maximum(bound, xp.full_like(bound, floor))


def _bend(branch: Branch) -> Array:
    p, q, s = branch.sides
    gamma = branch.gamma
    return branch.modulation * gamma * p * (2 * q + s * (gamma * p - 1))
