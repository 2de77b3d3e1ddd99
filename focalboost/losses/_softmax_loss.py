"""SoftmaxFocalLoss: the focal loss of K classes as a value."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from array_api_compat import device
from numpy.typing import NDArray

from focalboost._validation import (
    class_alphas,
    class_gammas,
    learning_rate_limit,
    number_of_classes,
    require_classes,
    require_finite,
    require_inside_unit_interval,
    require_matrix,
    require_shape,
    require_weight_of_every_class,
    require_weights,
)
from focalboost.losses import _compiled, _softmax
from focalboost.losses._arrays import (
    Array,
    as_floating,
    by_column,
    gathered,
    like,
    numpy_namespace,
)
from focalboost.losses._binary import curvature_floor, value
from focalboost.losses._compiled import Compiled
from focalboost.losses._driver import ON_ONE_THREAD, Options, evaluate
from focalboost.losses._softmax import Rows
from focalboost.losses._softmax_link import inverse_posterior, log_weight, margins

__all__ = ["SoftmaxFocalLoss"]


@dataclass(frozen=True)
class SoftmaxFocalLoss:
    r"""Focal loss of K classes, -alpha_y * (1 - p_y)**gamma_y * log(p_y).

    p is the softmax of a row of raw predictions and y its label, 0 to K - 1.

    Parameters
    ----------
    n_classes : int
        K, at least 2.
    gamma : float or sequence of K floats, default=2.0
        Focusing parameter from 0 to 1000, one for all or one for each true class; 0
        is the log loss.
    alpha : sequence of K floats or None, default=None
        Positive weights of the classes; None weighs every class 1.

    Raises
    ------
    ValueError
        If an argument is out of range.

    Notes
    -----
    Methods take labels (n,), raw predictions (n, K) and weights (n,) or None, on any
    array-API namespace. Results have the dtype of the raw predictions, float32 or
    float64, and are finite for raw predictions within 1e30 of 0; ``dtype`` and
    ``n_threads`` are those of ``FocalLoss``. For K = 2 the loss is
    ``FocalLoss`` at the difference of the two raw predictions, with alpha
    proportional to (1 - alpha, alpha) and gamma to (gamma_negative, gamma_positive).

    References
    ----------
    Lin et al., *Focal Loss for Dense Object Detection*, 2017; for the posterior
    Charoenphakdee et al., *On Focal Loss for Class-Posterior Probability Estimation*,
    2021.

    Examples
    --------
    >>> import numpy as np
    >>> from focalboost import SoftmaxFocalLoss
    >>> loss = SoftmaxFocalLoss(3, gamma=2)
    >>> y_true = np.array([0, 0, 0, 0, 0, 0, 1, 1, 1, 2])
    >>> baseline = loss.baseline(y_true)
    >>> loss.posterior(baseline[None, :]).round(12)
    array([[0.6, 0.3, 0.1]])
    """

    __module__ = "focalboost"  # what a pickle names must stay where it is

    n_classes: int
    gamma: float | tuple[float, ...] = 2.0
    alpha: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        n_classes = number_of_classes(self.n_classes)
        object.__setattr__(self, "n_classes", n_classes)
        object.__setattr__(self, "gamma", class_gammas(self.gamma, n_classes))
        object.__setattr__(self, "alpha", class_alphas(self.alpha, n_classes))

    @property
    def gammas(self) -> tuple[float, ...]:
        """The focusing parameter of every class."""
        gamma = self.gamma
        return gamma if isinstance(gamma, tuple) else (gamma,) * self.n_classes

    @property
    def alphas(self) -> tuple[float, ...]:
        """The weight of every class."""
        return (1.0,) * self.n_classes if self.alpha is None else self.alpha

    def loss(
        self, y_true: Any, raw_prediction: Any, sample_weight: Any = None
    ) -> Array:
        """Return the loss of every row, (n,)."""
        arrays = (y_true, raw_prediction, sample_weight)
        (loss,) = self._evaluate(lambda rows, xp: (value(rows.branch)[:, 0],), arrays)
        return loss

    def gradient(
        self, y_true: Any, raw_prediction: Any, sample_weight: Any = None
    ) -> Array:
        """Return the derivatives of the loss in the raw predictions, (n, K)."""
        arrays = (y_true, raw_prediction, sample_weight)
        (gradient,) = self._evaluate(
            lambda rows, xp: (_softmax.gradient(rows, xp),), arrays
        )
        return gradient

    def hessian(
        self, y_true: Any, raw_prediction: Any, sample_weight: Any = None
    ) -> Array:
        """Return the exact second derivative in each class, (n, K)."""
        return self.gradient_hessian(y_true, raw_prediction, sample_weight)[1]

    def full_hessian(
        self, y_true: Any, raw_prediction: Any, sample_weight: Any = None
    ) -> Array:
        """Return all second derivatives of every row, (n, K, K), for study."""
        arrays = (y_true, raw_prediction, sample_weight)
        (hessian,) = self._evaluate(
            lambda rows, xp: (_softmax.hessian(rows, xp),), arrays
        )
        return hessian

    def gradient_hessian(
        self,
        y_true: Any,
        raw_prediction: Any,
        sample_weight: Any = None,
        *,
        dtype: Any = None,
        n_threads: int | None = 1,
    ) -> tuple[Array, Array]:
        """Return gradient and diagonal hessian."""
        gradient, hessian = self._evaluate(
            lambda rows, xp: (
                _softmax.gradient(rows, xp),
                _softmax.hessian_diagonal(rows, xp),
            ),
            (y_true, raw_prediction, sample_weight),
            Options(dtype, n_threads),
        )
        return gradient, hessian

    def curvature(
        self,
        y_true: Any,
        raw_prediction: Any,
        sample_weight: Any = None,
        *,
        max_learning_rate: float = 0.3,
    ) -> Array:
        """Return the certified curvature; see ``gradient_curvature``."""
        return self.gradient_curvature(
            y_true, raw_prediction, sample_weight, max_learning_rate=max_learning_rate
        )[1]

    def gradient_curvature(
        self,
        y_true: Any,
        raw_prediction: Any,
        sample_weight: Any = None,
        *,
        max_learning_rate: float = 0.3,
        dtype: Any = None,
        n_threads: int | None = 1,
    ) -> tuple[Array, Array]:
        """Return the gradient and the certified curvature of each class.

        curvature_k = 2 * |gradient_k| * max((1 + gamma_y) * (p_y if k is the label,
        else 1 - p_k), (1 + max gamma) * rho), rho = eta / log(2 / eta) at
        eta = max_learning_rate in (0, 2).

        As for ``FocalLoss``, no round of one tree for each class raises the training
        loss, on the same conditions; the proof is in ``losses/_softmax.py``. Twice the
        diagonal bounds the full hessian, so the curvature is at least the diagonal one.
        """
        eta = learning_rate_limit(max_learning_rate)
        floor = 2 * curvature_floor(max(self.gammas), eta)

        def both(rows: Rows, xp: Any) -> tuple[Array, Array]:
            slope = _softmax.gradient(rows, xp)
            return slope, _softmax.certified_curvature(rows, slope, floor, xp)

        gradient, curvature = self._evaluate(
            both,
            (y_true, raw_prediction, sample_weight),
            Options(dtype, n_threads),
            _compiled.softmax(self.gammas, self.alphas, floor),
        )
        return gradient, curvature

    def baseline(self, y_true: Any, sample_weight: Any = None) -> NDArray[np.float64]:
        """Return the constant row that minimises the mean loss, (K,), as log softmax.

        Raises ValueError if a class has no weight, as no finite constant is best then.
        """
        return self.baseline_of_masses(self.class_masses(y_true, sample_weight))

    def class_masses(
        self, y_true: Any, sample_weight: Any = None
    ) -> NDArray[np.float64]:
        """Return the total weight of every class, (K,)."""
        xp, labels = as_floating("y_true", y_true)
        require_shape("y_true", labels, (math.prod(labels.shape),))
        require_classes(xp, labels, self.n_classes)
        labels = xp.astype(labels, xp.float64)
        xp, y, _, weight = gathered(labels, labels, sample_weight)
        if weight is not None:
            weight = like("sample_weight", weight, y, xp)
            require_weights(xp, weight)
        return _totals(y, weight, self.n_classes, xp)

    def baseline_of_masses(self, masses: Any) -> NDArray[np.float64]:
        """Return the baseline of data of which only the class masses are known."""
        totals = np.asarray(masses, dtype=np.float64)
        require_weight_of_every_class(totals, self.n_classes)
        log_target = np.log(totals / totals.sum()) + self._log_alpha
        rows = inverse_posterior(log_target[None, :], self.gammas)
        return np.ravel(rows)

    def constant_loss(self, raw_prediction: Any, masses: Any) -> float:
        """Return the total loss of a constant row (K,), given the class masses."""
        labels = np.arange(self.n_classes)
        rows = np.tile(np.asarray(raw_prediction, np.float64), (self.n_classes, 1))
        return float(np.sum(self.loss(labels, rows, masses)))

    def best_constant_loss(self, masses: Any) -> float:
        """Return the total loss of the best constant, given the class masses.

        Classes without weight are left out, as the best constant would do at infinity;
        for a single class, where that costs nothing, a row of zeros stands for it.
        """
        present = np.flatnonzero(masses)
        if len(present) < 2:
            return self.constant_loss(np.zeros(self.n_classes), masses)
        gamma = tuple(self.gammas[k] for k in present)
        alpha = None if self.alpha is None else tuple(self.alpha[k] for k in present)
        loss = SoftmaxFocalLoss(len(present), gamma, alpha)
        weights = np.asarray(masses)[present]
        return loss.constant_loss(loss.baseline_of_masses(weights), weights)

    def posterior(self, raw_prediction: Any) -> Array:
        """Return the class-posteriors of rows of raw predictions, (n, K).

        Rows sum to 1. The softmax itself is a score, not a probability. alpha is
        accounted for; sample weights are a statement about the population.
        """
        xp, score = self._posterior_score(raw_prediction)
        with np.errstate(under="ignore"):
            size = xp.exp(score)
            return size / xp.sum(size, axis=1, keepdims=True)

    def log_posterior(self, raw_prediction: Any) -> Array:
        """Return the logarithms of the class-posteriors, (n, K)."""
        xp, score = self._posterior_score(raw_prediction)
        with np.errstate(under="ignore"):
            return score - xp.log(xp.sum(xp.exp(score), axis=1, keepdims=True))

    def _posterior_score(self, raw_prediction: Any) -> tuple[Any, Array]:
        """The namespace, and log posteriors up to a constant: a row's largest is 0."""
        xp, raw = as_floating("raw_prediction", raw_prediction)
        require_matrix("raw_prediction", raw, self.n_classes)
        require_finite(xp, raw)
        gamma, log_alpha = (
            xp.asarray(values, dtype=raw.dtype, device=device(raw))
            for values in (self.gammas, self._log_alpha.tolist())
        )
        with np.errstate(under="ignore"):
            score = log_weight(margins(raw, xp), gamma, xp) - log_alpha
        return xp, score - xp.max(score, axis=1, keepdims=True)

    def inverse_posterior(self, posterior: Any) -> NDArray[np.float64]:
        """Return rows of raw predictions (log softmax) whose posteriors are given."""
        probability = as_floating("posterior", np.asarray(posterior))[1]
        require_matrix("posterior", probability, self.n_classes)
        require_inside_unit_interval(numpy_namespace, probability)
        return inverse_posterior(np.log(probability) + self._log_alpha, self.gammas)

    @property
    def is_log_loss(self) -> bool:
        """Whether this is the plain log loss, whose softmax is the posterior."""
        return self.gamma == 0 and self.alpha is None

    @property
    def _log_alpha(self) -> NDArray[np.float64]:
        return np.array([math.log(weight) for weight in self.alphas])

    def _evaluate(
        self,
        formula: Callable[[Rows, Any], tuple[Array, ...]],
        arrays: tuple[Any, Any, Any],
        options: Options = ON_ONE_THREAD,
        compiled: Compiled | None = None,
    ) -> tuple[Array, ...]:
        y_true, raw_prediction, sample_weight = arrays
        raw_prediction = as_floating("raw_prediction", raw_prediction)[1]
        require_matrix("raw_prediction", raw_prediction, self.n_classes)

        def of_rows(
            y: Array, raw: Array, weight: Array | None, xp: Any
        ) -> tuple[Array, ...]:
            require_classes(xp, y, self.n_classes)
            raw = by_column(raw)
            rows = _softmax.rows(y, raw, weight, self.gammas, self.alpha, xp)
            return formula(rows, xp)

        arrays = (y_true, raw_prediction, sample_weight)
        return evaluate(of_rows, arrays, options._replace(per_row=True), compiled)


def _totals(
    y_true: Array, weight: Array | None, n_classes: int, xp: Any
) -> NDArray[np.float64]:
    """The number of rows of every class, or their weight, from any device to the host.

    NumPy has a function that looks at every row once.
    """
    if xp is numpy_namespace:
        counts = np.bincount(y_true.astype(np.intp), weight, minlength=n_classes)
        return counts.astype(np.float64)
    each = xp.ones_like(y_true) if weight is None else weight
    own = (xp.astype(y_true == code, each.dtype) for code in range(n_classes))
    return np.array([float(xp.sum(each * rows)) for rows in own])
