r"""Formulas of the softmax focal loss for rows of K raw predictions.

With p = softmax(z) and true class y, a row is a binary problem in the margin
m = z_y - logsumexp of the others. There p_y = expit(m), q = 1 - p_y, s = -log(p_y), and
the loss is scale * phi(m) with phi of ``_binary``. With r_k = p_k / q, the softmax over
the classes other than y, and steep = scale * |phi'(m)|,

    gradient_y = -steep              gradient_k = steep * r_k
    hessian_yy = scale * phi''(m)    hessian_kk = steep*r_k*(1 - p_k) + bend*r_k**2

with bend = scale * gamma * p_y * q**gamma * (2*q + s*(gamma*p_y - 1)).

Because s >= q, the hessian is at most (1 + gamma) * steep/q * (diag(p) - p p^T), and
diag(p) - p p^T is at most twice its diagonal. Hence the certified curvature

    2 * |gradient_k| * (1 + gamma) * max(p_y if k = y else 1 - p_k, rho).

With one tree for each class, rho = eta / log(2/eta) and learning rates of at most eta,
no round raises the loss. With one gamma for each true class, the floor takes the
largest of them. The proof is in docs/explanation/certificate.md.

Lin et al., 2017; the bounds are derived on that page.
"""

from typing import Any, NamedTuple

import numpy as np
from array_api_compat import device

from focalboost._validation import require_classes
from focalboost.losses._binary import (
    Branch,
    any_power,
    at_least,
    power,
    second_derivative,
    steepness,
    value,
)
from focalboost.losses._evaluate import Array


class Rows(NamedTuple):
    """What value and derivatives share: per row the branch, per class the shares."""

    branch: Branch  #: of the true class; every array has shape (n, 1)
    truth: Array  #: 1 in the column of the true class, else 0, (n, K)
    complement: Array  #: 1 - softmax, to a few ulp, (n, K)
    others: Array  #: the softmax, and 0 for the true class, (n, K)
    share: Array  #: others / q, the softmax without the true class


def rows(
    y_true: Array,
    raw_prediction: Array,
    sample_weight: Array | None,
    gamma: tuple[float, ...],
    alpha: tuple[float, ...],
    xp: Any,
) -> Rows:
    """Return what the formulas below share.

    exp never sees a positive number, and the sum ``tail`` leaves out one largest class,
    whose exp is 1. So 1 - p = (tail + (1 - size)) / (1 + tail), a sum of positive
    terms, keeps its accuracy where p rounds to 1. Products with 0 and 1 select entries
    exactly, several times as fast as ``where``. NumPy works along memory: row by row,
    the few columns of a table cost several times as much as the arithmetic.
    """
    require_classes(xp, y_true, raw_prediction.shape[1])
    if isinstance(raw_prediction, np.ndarray):
        raw_prediction = np.asfortranarray(raw_prediction)
    place = {"dtype": raw_prediction.dtype, "device": device(raw_prediction)}
    column = xp.arange(raw_prediction.shape[1], **place)
    by_class = xp.astype(column[:, None] == y_true[None, :], raw_prediction.dtype)
    truth = xp.permute_dims(by_class, (1, 0))
    below = raw_prediction - xp.max(raw_prediction, axis=1, keepdims=True)
    size = xp.exp(below)
    is_largest = xp.astype(below == 0, below.dtype)
    tail = _sum(size - is_largest, xp) + (_sum(is_largest, xp) - 1)
    own = _sum(below * truth, xp)
    own_size = xp.exp(own)
    q = (tail + (1 - own_size)) / (1 + tail)
    if len(set(gamma)) == 1:
        own_gamma, modulation = gamma[0], power(q, gamma[0], xp)
    else:
        exact = _of_truth(gamma, xp.astype(truth, xp.float64), xp)
        own_gamma, modulation = xp.astype(exact, truth.dtype), any_power(q, exact, xp)
    if set(alpha) != {1.0}:
        modulation = modulation * _of_truth(alpha, truth, xp)
    if sample_weight is not None:
        modulation = modulation * sample_weight[:, None]
    p, s = own_size / (1 + tail), xp.log1p(tail) - own
    branch = Branch(p, q, s, own_gamma, modulation)
    others = size * (1 - truth)
    rest = _sum(others, xp)
    share = others / xp.where(rest > 0, rest, 1 + rest)
    complement, others = (part / (1 + tail) for part in (tail + (1 - size), others))
    return Rows(branch, truth, complement, others, share)


def loss(rows: Rows, xp: Any) -> tuple[Array]:
    """Return the loss, (n,)."""
    return (value(rows.branch)[:, 0],)


def gradient(rows: Rows, xp: Any) -> tuple[Array]:
    """Return the gradient, (n, K)."""
    steep = steepness(rows.branch)
    return (_of_others(rows, steep) - steep * rows.truth,)


def _of_others(rows: Rows, steep: Array) -> Array:
    """The gradient in the other classes than the true one.

    At gamma 0 it is their softmax, as in the hosts. There, steep * share may differ in
    its last bit between rows of one raw prediction, and the best splits of trees may
    not tie as theirs do.
    """
    gamma, modulation = rows.branch.gamma, rows.branch.modulation
    if isinstance(gamma, float) and gamma == 0:
        return modulation * rows.others
    return steep * rows.share


def gradient_hessian(rows: Rows, xp: Any) -> tuple[Array, Array]:
    """Return the gradient and the exact second derivative in each class, (n, K)."""
    steep = steepness(rows.branch)
    slope = _of_others(rows, steep)
    others = slope * rows.complement + _bend(rows.branch) * rows.share**2
    diagonal = others + rows.truth * second_derivative(rows.branch, xp)
    return slope - steep * rows.truth, diagonal


def gradient_curvature(rows: Rows, floor: float, xp: Any) -> tuple[Array, Array]:
    """Return the gradient and the certified curvature, (n, K)."""
    (slope,) = gradient(rows, xp)
    truth = rows.truth
    side = truth * rows.branch.p + (1 - truth) * rows.complement
    bound = 2 * (1 + rows.branch.gamma) * side
    return slope, xp.abs(slope) * at_least(2 * floor, bound, xp)


def hessian(rows: Rows, xp: Any) -> tuple[Array]:
    """Return the full hessian, (n, K, K), whose rows sum to zero.

    By the chain rule it is phi''(m) * u u^T + steep * (diag(r) - r r^T), where u is -1
    for the true class and r_k for the others: -u is the gradient of m. The entries
    r_k * (1 - r_k) are sums of the products r_k * r_j, which do not cancel.
    """
    r = rows.share
    u = r - rows.truth
    outer_u, outer_r = (v[:, :, None] * v[:, None, :] for v in (u, r))
    eye = xp.eye(r.shape[1], dtype=r.dtype, device=device(r))
    apart = outer_r * (1 - eye)
    spread = eye * xp.sum(apart, axis=2, keepdims=True) - apart
    steep, bend = steepness(rows.branch), second_derivative(rows.branch, xp)
    return (bend[:, :, None] * outer_u + steep[:, :, None] * spread,)


def _sum(values: Array, xp: Any) -> Array:
    """Row sums, shape (n, 1)."""
    return xp.sum(values, axis=1, keepdims=True)


def _of_truth(values: tuple[float, ...], truth: Array, xp: Any) -> Array:
    """The value of each row's true class, in the dtype of truth, shape (n, 1)."""
    row = xp.asarray(values, dtype=truth.dtype, device=device(truth))
    return _sum(row * truth, xp)


def _bend(branch: Branch) -> Array:
    p, q, s, gamma, modulation = branch
    return modulation * gamma * p * (2 * q + s * (gamma * p - 1))
