"""The focal losses of two and of K classes, as values."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
from array_api_compat import device
from numpy.typing import NDArray

from focalboost._validation import (
    are_scores_in_rows,
    class_alphas,
    class_balance,
    focusing_parameter,
    learning_rate_limit,
    require_classes,
    require_finite,
    require_inside_unit_interval,
    require_labels,
    require_masses,
    require_matrix,
    require_scores,
    require_shape,
    warn,
    whole_number,
)
from focalboost.losses import _binary, _softmax
from focalboost.losses._evaluate import (
    Array,
    Compiled,
    as_floating,
    evaluate,
    numpy_namespace,
    sums_at_once,
    underflow_is_zero,
    weighed_labels,
)
from focalboost.losses._link import (
    inverse_log_odds,
    inverse_posterior,
    log_odds,
    log_weight,
    margins,
)

#: A number, or for labels (n, T) one number for each column.
Mass = float | NDArray[np.float64]

#: What a class without weight counts in the baseline, as a share of all weight. With it
#: the start is finite, and such a class has a posterior of 1e-6.
SHARE_OF_ABSENT_CLASS = 1e-6

#: So many numbers that all lie between 0 and 1 are taken for scores.
MANY = 100


class _Loss(ABC):
    """What the losses of two and of K classes share."""

    _formulas: ClassVar[ModuleType]  #: of the loss and its derivatives
    _compiled_sums: ClassVar[str]  #: the kernel's form of ``_sums``

    @property
    @abstractmethod
    def gammas(self) -> tuple[float, ...]:
        """The focusing parameter of every class; of two, the positive one is first."""

    @property
    @abstractmethod
    def alphas(self) -> tuple[float, ...]:
        """The weight of every class; of two, the positive one is first."""

    @property
    @abstractmethod
    def _columns(self) -> int | None:
        """Raw predictions for each label; None for one, in the shape of the labels."""

    @abstractmethod
    def _compiled(self, floor: float | None) -> Compiled | None:
        """The kernel's form of ``gradient_curvature``, or of the hessian for None."""

    @abstractmethod
    def class_masses(self, y_true: Any, sample_weight: Any = None) -> Any:
        """Return the total weight of every class."""

    @abstractmethod
    def _posterior(self, raw_prediction: Any) -> Array:
        """The posterior without a warning, for raw predictions of the package's own.

        By chance these may all lie between 0 and 1.
        """

    @property
    def is_log_loss(self) -> bool:
        """Whether this is the plain log loss, without gamma and alpha."""
        return not any(self.gammas) and set(self.alphas) == {1.0}

    def loss(
        self, y_true: Any, raw_prediction: Any, sample_weight: Any = None
    ) -> Array:
        """Return the loss of every row, not reduced."""
        arrays = (y_true, raw_prediction, sample_weight)
        return self._evaluate(self._formulas.loss, arrays)[0]

    def gradient(
        self, y_true: Any, raw_prediction: Any, sample_weight: Any = None
    ) -> Array:
        """Return the derivative of the loss in each raw prediction."""
        arrays = (y_true, raw_prediction, sample_weight)
        return self._evaluate(self._formulas.gradient, arrays)[0]

    def hessian(
        self, y_true: Any, raw_prediction: Any, sample_weight: Any = None
    ) -> Array:
        """Return the exact second derivative in each raw prediction.

        It is negative for the hardest rows if gamma > 0.
        """
        return self.gradient_hessian(y_true, raw_prediction, sample_weight)[1]

    def gradient_hessian(
        self,
        y_true: Any,
        raw_prediction: Any,
        sample_weight: Any = None,
        *,
        dtype: Any = None,
        n_threads: int | None = 1,
    ) -> tuple[Array, Array]:
        """Return gradient and hessian, for little more than the price of one."""
        arrays = (y_true, raw_prediction, sample_weight)
        options = {"dtype": dtype, "n_threads": n_threads}
        compiled = self._compiled(floor=None)
        gradient, hessian = self._evaluate(
            self._formulas.gradient_hessian, arrays, compiled=compiled, **options
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
        """Return the gradient and the certified curvature.

        For two classes,

            curvature = |gradient| * max((1 + gamma_y) * p_y, (1 + max gamma) * rho),
            rho = eta / log(2 / eta),  eta = max_learning_rate in (0, 2).

        For the softmax it is twice that, with 1 - p_k in place of p_y for the classes k
        other than the label.

        The curvature is positive and at least the hessian. If a booster takes it as
        hessian, no round raises the training loss, whatever the trees, the weights and
        an L2 penalty. The conditions: leaves are constants, each class has a tree of
        its own, trees are not dropped (dart), rows are not subsampled, and the learning
        rate is at most ``max_learning_rate``.
        """
        eta = learning_rate_limit(max_learning_rate)
        floor = _binary.curvature_floor(max(self.gammas), eta)
        gradient, curvature = self._evaluate(
            lambda rows, xp: self._formulas.gradient_curvature(rows, floor, xp),
            (y_true, raw_prediction, sample_weight),
            dtype=dtype,
            n_threads=n_threads,
            compiled=self._compiled(floor),
        )
        return gradient, curvature

    @underflow_is_zero
    def _sums(
        self, y_true: Any, raw_prediction: Any, sample_weight: Any = None
    ) -> NDArray[np.float64]:
        """Return the total loss and the class masses, which add up over parts.

        They are computed in float64 for any raw predictions.
        """
        arrays = (y_true, raw_prediction, sample_weight)
        compiled = (self._compiled_sums, self.gammas, self.alphas)
        found = sums_at_once(arrays, self._columns, compiled)
        if found is not None:
            return found
        raw = as_floating("raw_prediction", np.asarray(raw_prediction))[1]
        raw = raw.astype(np.float64, copy=False)
        total = np.sum(self.loss(y_true, raw, sample_weight))
        masses = self.class_masses(y_true, sample_weight)
        return np.concatenate([[total], np.ravel(masses)])

    def _evaluate(
        self,
        formula: Callable[[Any, Any], tuple[Array, ...]],
        arrays: tuple[Any, Any, Any],
        **options: Any,
    ) -> tuple[Array, ...]:
        def on_rows(
            y: Array, raw: Array, weight: Array | None, xp: Any
        ) -> tuple[Array, ...]:
            classes = (self.gammas, self.alphas)
            return formula(self._formulas.rows(y, raw, weight, *classes, xp), xp)

        return evaluate(on_rows, arrays, self._columns, **options)

    @underflow_is_zero
    def posterior(self, raw_prediction: Any) -> Array:
        """Return the class-posteriors of raw predictions.

        They are P(y = 1 | x), or for K classes rows (n, K) that sum to 1. The expit or
        softmax of raw predictions is the focal score and not a probability. At 1
        positive in 1000 and gamma = 2, the focal score of the best constant is 0.073.

        The posterior accounts for alpha. It does not undo sample weights: these are a
        statement about the population. A warning is raised for what are plainly
        scores: 100 numbers or more between 0 and 1, for K classes in rows that sum to
        1. Use ``posterior_of_score`` for these.
        """
        self._warn_of_scores(raw_prediction)
        return self._posterior(raw_prediction)

    def _warn_of_scores(self, raw_prediction: Any) -> None:
        xp, raw = as_floating("raw_prediction", raw_prediction)
        if math.prod(raw.shape) < MANY or not 0 <= xp.min(raw) < xp.max(raw) <= 1:
            return
        if self._columns is not None and not are_scores_in_rows(xp, raw):
            return
        warn(
            "All raw predictions lie between 0 and 1, so they look like focal scores, "
            "which a model's own predict returns. Use loss.posterior_of_score(score), "
            "or pass predict(..., output_margin=True) of XGBoost or predict(..., "
            "raw_score=True) of LightGBM. predict_proba returns posteriors already."
        )


@dataclass(frozen=True)
class FocalLoss(_Loss):
    r"""Binary focal loss, -alpha_t * (1 - p_t)**gamma * log(p_t).

    p_t is expit(raw_prediction) for y = 1 and expit(-raw_prediction) for y = 0.
    alpha_t is alpha for y = 1 and 1 - alpha for y = 0. A label y between 0 and 1 stands
    for the expected loss, y * loss(1) + (1 - y) * loss(0).

    Parameters
    ----------
    gamma : float or (float, float), default=2.0
        Focusing parameter, from 0 to 1000. 0 is the log loss. A pair
        ``(gamma_positive, gamma_negative)`` gives each class its own (asymmetric
        focusing).
    alpha : float or None, default=None
        Class-balance weight in (0, 1): alpha for positives, 1 - alpha for negatives.
        None gives every row the weight 1.

    Raises
    ------
    ValueError
        If gamma or alpha is out of range.

    Notes
    -----
    Methods take labels and raw predictions of one shape in any array-API namespace, and
    weights of that shape or None. With labels (n, T) every column is a problem of its
    own (multilabel), and weights may be (n,).

    Results have the dtype of the raw predictions, float32 or float64. Raw predictions
    of other dtypes are converted to float64. Results are finite for every raw
    prediction within 1e30 of 0, and underflow to 0 without a warning. NaN, larger raw
    predictions, labels outside [0, 1] and negative weights raise ValueError.

    ``gradient_hessian`` and ``gradient_curvature`` take the ``dtype`` of their results,
    which must fit its range, and ``n_threads``. None means as many threads as OpenMP
    uses. The number of threads does not change a bit of the results.

    Limits: as p_t -> 1, the gradient falls like (1 + gamma) * (1 - p_t)**(1 + gamma).
    As p_t -> 0, its size tends to alpha_t, and the hessian to 0 from below.

    References
    ----------
    Lin et al., *Focal Loss for Dense Object Detection*, 2017. The pair of gammas is
    from Ridnik et al., *Asymmetric Loss for Multi-Label Classification*, 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from focalboost import FocalLoss
    >>> loss = FocalLoss(gamma=2)
    >>> y_true = np.array([0.0, 0.0, 0.0, 1.0])
    >>> loss.loss(y_true, np.zeros(4)).round(4)
    array([0.1733, 0.1733, 0.1733, 0.1733])
    >>> baseline = loss.baseline(y_true)
    >>> round(float(loss.posterior(np.float64(baseline))), 12)
    0.25
    """

    __module__ = "focalboost"  # the name in every pickle

    gamma: float | tuple[float, float] = 2.0
    alpha: float | None = None

    _formulas: ClassVar[ModuleType] = _binary
    _columns: ClassVar[None] = None
    _compiled_sums = "binary_sums"

    def __post_init__(self) -> None:
        object.__setattr__(self, "gamma", focusing_parameter(self.gamma))
        object.__setattr__(self, "alpha", class_balance(self.alpha))

    @property
    def gammas(self) -> tuple[float, float]:
        """The focusing parameters of the positive and of the negative class."""
        gamma = self.gamma
        return gamma if isinstance(gamma, tuple) else (gamma, gamma)

    @property
    def alphas(self) -> tuple[float, float]:
        """The weights of the positive and of the negative class."""
        return (1.0, 1.0) if self.alpha is None else (self.alpha, 1 - self.alpha)

    def baseline(self, y_true: Any, sample_weight: Any = None) -> Mass:
        """Return the constant raw prediction that minimises the mean loss.

        If gamma is 0, it is the log-odds of the weighted labels. For labels (n, T) it
        has one entry for each column. If a class has no weight, no finite constant is
        best. Such a class counts as if it had 1e-6 of the weight of all rows.
        """
        return self.baseline_of_masses(*self.class_masses(y_true, sample_weight))

    @underflow_is_zero
    def class_masses(self, y_true: Any, sample_weight: Any = None) -> tuple[Mass, Mass]:
        """Return the total weight of the positives and of the negatives.

        Both are numbers, or for labels (n, T) arrays with one entry for each column.
        """
        xp, y, weight = weighed_labels(y_true, sample_weight)
        require_labels(xp, y)

        def total(share: Array) -> Mass:
            own = share if weight is None else weight * share
            if own.ndim != 2:
                return float(xp.sum(own))
            sums = xp.sum(own, axis=0)
            return np.array([float(sums[i]) for i in range(sums.shape[0])])

        return total(y), total(1 - y)

    @underflow_is_zero
    def baseline_of_masses(self, positive_mass: Mass, negative_mass: Mass) -> Mass:
        """Return the baseline of data with the given class masses.

        The masses of parts of a data set add up, so this is also the baseline of data
        on several machines.
        """
        positive, negative = _log_masses([positive_mass, negative_mass], 2)
        odds = positive - negative
        baseline = inverse_log_odds(odds + self._log_alpha_ratio, self.gammas)
        return float(baseline) if np.ndim(baseline) == 0 else baseline

    def constant_loss(self, raw_prediction: Mass, masses: tuple[Mass, Mass]) -> float:
        """Return the total loss of a constant, given the masses of both classes."""
        labels = np.stack([np.ones_like(raw_prediction), np.zeros_like(raw_prediction)])
        constant = np.broadcast_to(raw_prediction, labels.shape)
        return float(np.sum(self.loss(labels, constant, np.stack(masses))))

    def best_constant_loss(self, masses: tuple[Mass, Mass]) -> float:
        """Return the total loss of the best constant, given the class masses.

        The best constant of a single class is infinite and costs nothing. Raw
        prediction 0 takes its place.
        """
        both = np.minimum(*masses) > 0
        usable = [np.where(both, mass, 1.0) for mass in masses]
        constant = np.where(both, self.baseline_of_masses(*usable), 0.0)
        return self.constant_loss(constant, masses)

    @underflow_is_zero
    def posterior_log_odds(self, raw_prediction: Any) -> Array:
        """Return the logit of the posterior.

        It increases strictly with the raw prediction, and is about (1 + gamma) times as
        far from 0.
        """
        self._warn_of_scores(raw_prediction)
        return self._posterior_log_odds(raw_prediction)

    @underflow_is_zero
    def posterior_of_score(self, score: Any) -> Array:
        """Return the class-posterior of focal scores ``expit(raw_prediction)``.

        These are what a model's own ``predict`` returns. Scores of 0 and 1 have the
        posteriors 0 and 1. Raw predictions keep more digits of scores near 1.
        """
        xp, score = as_floating("score", score)
        require_scores(xp, score)
        is_inside = (score > 0) & (score < 1)
        inside = xp.where(is_inside, score, 0 * score + 0.5)
        posterior = self._posterior(xp.log(inside) - xp.log1p(-inside))
        return xp.where(is_inside, posterior, score)

    @underflow_is_zero
    def inverse_posterior(self, posterior: Any) -> Any:
        """Return the raw predictions with the given posteriors, as float64 NumPy."""
        probability = as_floating("posterior", np.asarray(posterior))[1]
        require_inside_unit_interval(numpy_namespace, probability)
        odds = np.log(probability) - np.log1p(-probability)
        return inverse_log_odds(odds + self._log_alpha_ratio, self.gammas)

    @underflow_is_zero
    def _posterior(self, raw_prediction: Any) -> Array:
        odds = self._posterior_log_odds(raw_prediction)
        xp, odds = as_floating("raw_prediction", odds)
        return _binary.sides(-odds, xp)[0]

    @underflow_is_zero
    def _posterior_log_odds(self, raw_prediction: Any) -> Array:
        xp, raw = as_floating("raw_prediction", raw_prediction)
        require_finite(xp, raw)
        return log_odds(raw, self.gammas, xp) - self._log_alpha_ratio

    @property
    def _log_alpha_ratio(self) -> float:
        return math.log(self.alphas[0]) - math.log(self.alphas[1])

    def _compiled(self, floor: float | None) -> Compiled:
        is_exact = floor is None
        return ("binary", self.gammas, self.alphas, floor or 0.0, is_exact)


@dataclass(frozen=True)
class SoftmaxFocalLoss(_Loss):
    r"""Focal loss of K classes, -alpha_y * (1 - p_y)**gamma_y * log(p_y).

    p is the softmax of a row of raw predictions, and y is its label, from 0 to K - 1.

    Parameters
    ----------
    n_classes : int
        K, at least 2.
    gamma : float or sequence of K floats, default=2.0
        Focusing parameter from 0 to 1000: one for all rows, or one for each true class.
        0 is the log loss.
    alpha : sequence of K floats or None, default=None
        Positive weights of the classes. None gives every class the weight 1.

    Raises
    ------
    ValueError
        If an argument is out of range.

    Notes
    -----
    Methods take labels (n,), raw predictions (n, K) and weights (n,) or None, in any
    array-API namespace. The loss has the shape (n,). The gradient, the hessian and the
    curvature have one column for each class, (n, K), and the hessian is the diagonal
    alone; see ``full_hessian``. Dtypes, the range of the results, ``dtype`` and
    ``n_threads`` are as in ``FocalLoss``.

    For K = 2 the loss is ``FocalLoss`` at the difference of the two raw predictions,
    with alpha proportional to (1 - alpha, alpha) and gamma equal to
    (gamma_negative, gamma_positive).

    Twice the diagonal bounds the full hessian, so the certified curvature is at least
    the diagonal. The proof is in ``losses/_softmax.py``.

    References
    ----------
    Lin et al., *Focal Loss for Dense Object Detection*, 2017. The posterior is from
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

    __module__ = "focalboost"  # the name in every pickle

    n_classes: int
    gamma: float | tuple[float, ...] = 2.0
    alpha: tuple[float, ...] | None = None

    _formulas: ClassVar[ModuleType] = _softmax
    _compiled_sums = "softmax_sums"

    def __post_init__(self) -> None:
        n_classes = whole_number("n_classes", self.n_classes, 2, "Count the classes.")
        object.__setattr__(self, "n_classes", n_classes)
        object.__setattr__(
            self, "gamma", focusing_parameter(self.gamma, n_classes=n_classes)
        )
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

    def full_hessian(
        self, y_true: Any, raw_prediction: Any, sample_weight: Any = None
    ) -> Array:
        """Return all second derivatives of every row, (n, K, K)."""
        arrays = (y_true, raw_prediction, sample_weight)
        return self._evaluate(_softmax.hessian, arrays)[0]

    def baseline(self, y_true: Any, sample_weight: Any = None) -> NDArray[np.float64]:
        """Return the constant row that minimises the mean loss, (K,), as log softmax.

        If a class has no weight, no finite constant is best. Such a class counts as if
        it had 1e-6 of the weight of all rows.
        """
        return self.baseline_of_masses(self.class_masses(y_true, sample_weight))

    @underflow_is_zero
    def class_masses(
        self, y_true: Any, sample_weight: Any = None
    ) -> NDArray[np.float64]:
        """Return the total weight of every class, (K,)."""
        xp, y, weight = weighed_labels(y_true, sample_weight)
        require_shape("y_true", y, (math.prod(y.shape),))
        require_classes(xp, y, self.n_classes)
        if xp is numpy_namespace:  # one pass over the rows for all classes
            counts = np.bincount(y.astype(np.intp), weight, minlength=self.n_classes)
            return counts.astype(np.float64)
        each = xp.ones_like(y) if weight is None else weight
        own = (xp.astype(y == code, each.dtype) for code in range(self.n_classes))
        return np.array([float(xp.sum(each * rows)) for rows in own])

    @underflow_is_zero
    def baseline_of_masses(self, masses: Any) -> NDArray[np.float64]:
        """Return the baseline of data with the given class masses."""
        logs = _log_masses(masses, self.n_classes)
        log_target = logs - np.log(np.sum(masses)) + self._log_alpha
        return np.ravel(inverse_posterior(log_target[None, :], self.gammas))

    def constant_loss(self, raw_prediction: Any, masses: Any) -> float:
        """Return the total loss of a constant row (K,), given the class masses."""
        labels = np.arange(self.n_classes)
        rows = np.tile(np.asarray(raw_prediction, np.float64), (self.n_classes, 1))
        return float(np.sum(self.loss(labels, rows, masses)))

    def best_constant_loss(self, masses: Any) -> float:
        """Return the total loss of the best constant, given the class masses.

        Classes without weight are left out: the best constant is infinite for them and
        costs nothing. If a single class is left, a row of zeros takes its place.
        """
        present = np.flatnonzero(masses)
        if len(present) < 2:
            return self.constant_loss(np.zeros(self.n_classes), masses)
        gamma = tuple(self.gammas[k] for k in present)
        alpha = tuple(self.alphas[k] for k in present)
        loss = SoftmaxFocalLoss(len(present), gamma, alpha)
        weights = np.asarray(masses)[present]
        return loss.constant_loss(loss.baseline_of_masses(weights), weights)

    @underflow_is_zero
    def log_posterior(self, raw_prediction: Any) -> Array:
        """Return the logarithms of the posteriors, (n, K)."""
        self._warn_of_scores(raw_prediction)
        return self._log_posterior(raw_prediction)

    @underflow_is_zero
    def posterior_of_score(self, score: Any) -> Array:
        """Return the class-posteriors of focal scores, the softmax of rows, (n, K).

        These are what a model's own ``predict`` returns. A score of 0 has the posterior
        0. Raw predictions keep more digits of scores near 1.
        """
        xp, score = as_floating("score", score)
        require_matrix("score", score, self.n_classes)
        require_scores(xp, score, in_rows=True)
        least = xp.full_like(score, xp.finfo(score.dtype).smallest_normal)
        posterior = self._posterior(xp.log(xp.where(score > 0, score, least)))
        return xp.where(score > 0, posterior, score)

    @underflow_is_zero
    def inverse_posterior(self, posterior: Any) -> NDArray[np.float64]:
        """Return raw predictions (log softmax) with the given posteriors, (n, K)."""
        probability = as_floating("posterior", np.asarray(posterior))[1]
        require_matrix("posterior", probability, self.n_classes)
        require_inside_unit_interval(numpy_namespace, probability)
        return inverse_posterior(np.log(probability) + self._log_alpha, self.gammas)

    @underflow_is_zero
    def _posterior(self, raw_prediction: Any) -> Array:
        xp, score = self._posterior_score(raw_prediction)
        size = xp.exp(score)
        return size / xp.sum(size, axis=1, keepdims=True)

    @underflow_is_zero
    def _log_posterior(self, raw_prediction: Any) -> Array:
        xp, score = self._posterior_score(raw_prediction)
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
        score = log_weight(margins(raw, xp), gamma, xp) - log_alpha
        return xp, score - xp.max(score, axis=1, keepdims=True)

    @property
    def _log_alpha(self) -> NDArray[np.float64]:
        return np.log(self.alphas)

    @property
    def _columns(self) -> int:
        return self.n_classes

    def _compiled(self, floor: float | None) -> Compiled | None:
        return None if floor is None else ("softmax", self.gammas, self.alphas, floor)


#: The losses that a host can be trained with.
Loss = FocalLoss | SoftmaxFocalLoss


def _log_masses(masses: Any, n_classes: int) -> NDArray[np.float64]:
    """The logarithms of class masses, finite for a class without weight."""
    values = np.asarray(masses, dtype=np.float64)
    require_masses(values, n_classes)
    absent = np.log(values.sum(axis=0)) + math.log(SHARE_OF_ABSENT_CLASS)
    logs = np.log(values, where=values > 0, out=np.zeros_like(values))
    return np.where(values > 0, logs, absent)
