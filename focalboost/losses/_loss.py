"""FocalLoss: the binary focal loss as a value."""

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from focalboost._validation import (
    class_balance,
    focusing_parameter,
    learning_rate_limit,
    require_finite,
    require_inside_unit_interval,
    require_labels,
    require_two_classes,
    require_weights,
)
from focalboost.losses import _compiled, _evaluate
from focalboost.losses._arrays import (
    Array,
    as_floating,
    gathered,
    like,
    numpy_namespace,
)
from focalboost.losses._binary import curvature_floor, sides
from focalboost.losses._compiled import Compiled
from focalboost.losses._driver import ON_ONE_THREAD, Options
from focalboost.losses._link import inverse_log_odds, log_odds

__all__ = ["FocalLoss", "Mass"]

#: A number, or for labels (n, T) one for each column.
Mass = float | NDArray[np.float64]


@dataclass(frozen=True)
class FocalLoss:
    r"""Binary focal loss, -alpha_t * (1 - p_t)**gamma * log(p_t).

    p_t is expit(raw_prediction) for y = 1 and expit(-raw_prediction) for y = 0;
    alpha_t is alpha for y = 1 and 1 - alpha for y = 0. A label y in between stands
    for the expected loss, y * loss(1) + (1 - y) * loss(0).

    Parameters
    ----------
    gamma : float or (float, float), default=2.0
        Focusing parameter, >= 0; 0 is the log loss. A pair
        ``(gamma_positive, gamma_negative)`` focuses each class on its own
        (asymmetric focusing).
    alpha : float or None, default=None
        Class-balance weight in (0, 1): alpha for positives, 1 - alpha for negatives.
        None weighs every row 1.

    Raises
    ------
    ValueError
        If gamma or alpha is out of range.

    Notes
    -----
    Methods take labels and raw predictions of one shape, on any array-API namespace,
    and weights of that shape or None. With labels (n, T) every column is a problem of
    its own (multilabel), and weights may be (n,). Results have the dtype of the raw
    predictions, float32 or float64 (other numbers are converted), are finite for every
    raw prediction within 1e30 of 0, and underflow to 0 without a warning. Other raw
    predictions, NaN, labels outside [0, 1] and negative weights raise ValueError.

    ``gradient_hessian`` and ``gradient_curvature`` take a ``dtype`` for their results,
    whose range they must not exceed, and ``n_threads``, where None means as many as
    OpenMP would take; results do not depend on it by a bit.

    Limits: as p_t -> 1 the gradient falls like (1 + gamma) * (1 - p_t)**(1 + gamma);
    as p_t -> 0 its size tends to alpha_t, and the hessian to 0 from below.

    References
    ----------
    Lin et al., *Focal Loss for Dense Object Detection*, 2017; for the pair of gammas
    Ridnik et al., *Asymmetric Loss for Multi-Label Classification*, 2021.

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

    __module__ = "focalboost"  # what a pickle names must stay where it is

    gamma: float | tuple[float, float] = 2.0
    alpha: float | None = None

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

    def loss(
        self, y_true: Any, raw_prediction: Any, sample_weight: Any = None
    ) -> Array:
        """Return the loss of every row, not reduced."""
        (loss,) = self._evaluate(_evaluate.loss, y_true, raw_prediction, sample_weight)
        return loss

    def gradient(
        self, y_true: Any, raw_prediction: Any, sample_weight: Any = None
    ) -> Array:
        """Return the derivative of the loss in the raw prediction."""
        (gradient,) = self._evaluate(
            _evaluate.gradient, y_true, raw_prediction, sample_weight
        )
        return gradient

    def hessian(
        self, y_true: Any, raw_prediction: Any, sample_weight: Any = None
    ) -> Array:
        """Return the exact second derivative, negative for the hardest rows."""
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
        gradient, hessian = self._evaluate(
            _evaluate.gradient_hessian,
            *(y_true, raw_prediction, sample_weight),
            Options(dtype, n_threads),
            _compiled.binary(self.gammas, self.alphas, floor=None),
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

        curvature = |gradient| * max((1 + gamma_y) * p_t, (1 + max gamma) * rho),
        rho = eta / log(2 / eta) at eta = max_learning_rate in (0, 2).

        It is positive and at least the hessian. Given to a booster as hessian, no
        round raises the training loss, whatever the trees, the weights and an L2
        penalty, as long as leaves are constants, trees are not dropped (dart), rows
        are not subsampled, and the learning rate is at most ``max_learning_rate``.
        """
        eta = learning_rate_limit(max_learning_rate)
        floor = curvature_floor(max(self.gammas), eta)
        gradient, curvature = self._evaluate(
            partial(_evaluate.gradient_curvature, floor),
            *(y_true, raw_prediction, sample_weight),
            Options(dtype, n_threads),
            _compiled.binary(self.gammas, self.alphas, floor),
        )
        return gradient, curvature

    def baseline(self, y_true: Any, sample_weight: Any = None) -> Mass:
        """Return the constant raw prediction that minimises the mean loss.

        Where both gammas are 0 that is the log-odds of the weighted labels. For labels
        (n, T) it has one entry for each column. Raises ValueError if a class has no
        weight, as no finite constant is best then.
        """
        positive, negative = self.class_masses(y_true, sample_weight)
        return self.baseline_of_masses(positive, negative)

    def class_masses(self, y_true: Any, sample_weight: Any = None) -> tuple[Mass, Mass]:
        """Return the total weight of the positives and of the negatives.

        Both are numbers, or for labels (n, T) arrays with one entry for each column.
        """
        xp, labels = as_floating("y_true", y_true)
        labels = xp.astype(labels, xp.float64)
        xp, y, _, weight = gathered(labels, labels, sample_weight)
        require_labels(xp, y)
        parts = (y, 1 - y)
        if weight is not None:
            weight = like("sample_weight", weight, y, xp)
            require_weights(xp, weight)
            parts = (weight * y, weight * (1 - y))
        positive, negative = (_total(part, xp) for part in parts)
        return positive, negative

    def baseline_of_masses(self, positive_mass: Mass, negative_mass: Mass) -> Mass:
        """Return the baseline of data of which only the class masses are known.

        The masses of parts of a data set add up, so this is the baseline of data
        that is spread over several machines.
        """
        require_two_classes(positive_mass, negative_mass)
        odds = np.log(positive_mass) - np.log(negative_mass)
        baseline = inverse_log_odds(odds + self._log_alpha_ratio, self.gammas)
        return float(baseline) if np.ndim(baseline) == 0 else baseline

    def constant_loss(self, raw_prediction: Mass, masses: tuple[Mass, Mass]) -> float:
        """Return the total loss of a constant, given the masses of both classes."""
        labels = np.stack([np.ones_like(raw_prediction), np.zeros_like(raw_prediction)])
        constant = np.broadcast_to(raw_prediction, labels.shape)
        return float(np.sum(self.loss(labels, constant, np.stack(masses))))

    def best_constant_loss(self, masses: tuple[Mass, Mass]) -> float:
        """Return the total loss of the best constant, given the class masses.

        The best constant of a single class is infinite and costs nothing; raw
        prediction 0 stands for it.
        """
        both = np.minimum(*masses) > 0
        usable = [np.where(both, mass, 1.0) for mass in masses]
        constant = np.where(both, self.baseline_of_masses(*usable), 0.0)
        return self.constant_loss(constant, masses)

    def posterior_log_odds(self, raw_prediction: Any) -> Array:
        """Return the logit of the class-posterior P(y = 1 | x).

        It is strictly increasing in the raw prediction, about (1 + gamma) times as
        far from 0, and accounts for alpha. Sample weights are a statement about the
        population, and are not undone.
        """
        xp, raw = as_floating("raw_prediction", raw_prediction)
        require_finite(xp, raw)
        with np.errstate(under="ignore"):
            return log_odds(raw, self.gammas, xp) - self._log_alpha_ratio

    def posterior(self, raw_prediction: Any) -> Array:
        """Return the class-posterior P(y = 1 | x) of focal raw predictions.

        ``expit(raw_prediction)`` is a score, not a probability: at 1 positive in 1000
        and gamma = 2 the best constant's is 0.073.
        """
        odds = self.posterior_log_odds(raw_prediction)
        xp, odds = as_floating("raw_prediction", odds)
        with np.errstate(under="ignore"):
            return sides(-odds, xp).p

    def inverse_posterior(self, posterior: Any) -> Any:
        """Return the raw prediction whose posterior is given, as float64 NumPy."""
        probability = as_floating("posterior", np.asarray(posterior))[1]
        require_inside_unit_interval(numpy_namespace, probability)
        odds = np.log(probability) - np.log1p(-probability)
        return inverse_log_odds(odds + self._log_alpha_ratio, self.gammas)

    @property
    def is_log_loss(self) -> bool:
        """Whether this is the plain log loss, of which raw predictions are log-odds."""
        return self.gamma == 0 and self.alpha is None

    @property
    def _log_alpha_ratio(self) -> float:
        return math.log(self.alphas[0]) - math.log(self.alphas[1])

    def _evaluate(
        self,
        formula: _evaluate.Formula,
        y_true: Any,
        raw_prediction: Any,
        sample_weight: Any,
        options: Options = ON_ONE_THREAD,
        compiled: Compiled | None = None,
    ) -> tuple[Array, ...]:
        arrays = (y_true, raw_prediction, sample_weight)
        classes = (self.gammas, self.alphas)
        return _evaluate.evaluate(formula, arrays, *classes, options, compiled)


def _total(values: Array, xp: Any) -> Mass:
    """The sum, or for (n, T) those of the columns, from any device to the host."""
    if values.ndim != 2:
        return float(xp.sum(values))
    sums = xp.sum(values, axis=0)
    return np.array([float(sums[column]) for column in range(sums.shape[0])])
