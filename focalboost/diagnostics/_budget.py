"""Which rows a loss spends its gradient and its curvature on."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_softmax

from focalboost._host import checked_loss
from focalboost._validation import one_of, reject, require_classes
from focalboost.diagnostics._frames import data_frame
from focalboost.diagnostics._labels import codes_of, numbers_of, numeric_labels
from focalboost.diagnostics._rounds import loss_of_model, raw_prediction_at
from focalboost.losses import FocalLoss, Loss

__all__ = ["GradientBudget", "gradient_budget", "gradient_budget_by_round"]

#: Rows below the first two are hard, those above the last two easy.
EDGES = (0.1, 0.5, 0.9, 0.99, 0.999)


@dataclass(frozen=True, eq=False)
class GradientBudget:
    """Shares of the total |gradient| and curvature, by class and by p_t.

    Attributes
    ----------
    loss : FocalLoss or SoftmaxFocalLoss
        Whose gradient it is.
    classes : tuple of int
        0 for negatives and 1 for positives, or 0, ..., K - 1.
    edges : tuple of float
        The B - 1 bounds inside (0, 1) between B bins of p_t; the first bins hold the
        hardest rows. A row on a bound belongs to the bin above it.
    n_rows : ndarray of int, shape (n_classes, B)
        Rows of each class and bin.
    gradient, curvature : ndarray of shape (n_classes, B)
        Shares of the sums of |gradient| and of the curvature over all rows; each sums
        to 1.
    effective_rows : ndarray of shape (n_classes,)
        (sum of |gradient|)**2 / (sum of gradient**2): so many rows of equal gradient
        would carry as much.
    n_rounds : int or None
        The boosting rounds that the raw predictions come from, if it is known.
    """

    __module__ = "focalboost.diagnostics"

    loss: Loss
    classes: tuple[int, ...]
    edges: tuple[float, ...]
    n_rows: NDArray[np.int64]
    gradient: NDArray[np.float64]
    curvature: NDArray[np.float64]
    effective_rows: NDArray[np.float64]
    n_rounds: int | None = None

    @property
    def gradient_by_class(self) -> NDArray[np.float64]:
        """The share of |gradient| of each class, shape (n_classes,)."""
        return np.asarray(self.gradient.sum(axis=1))

    @property
    def curvature_by_class(self) -> NDArray[np.float64]:
        """The share of the curvature of each class, shape (n_classes,)."""
        return np.asarray(self.curvature.sum(axis=1))

    def to_pandas(self) -> Any:
        """Return a DataFrame with one line for each class and bin."""
        lower, upper = (0.0, *self.edges), (*self.edges, 1.0)
        n_bins = len(lower)
        columns = {
            "class": np.repeat(self.classes, n_bins),
            "p_t from": np.tile(lower, len(self.classes)),
            "p_t to": np.tile(upper, len(self.classes)),
            "rows": self.n_rows.ravel(),
            "gradient": self.gradient.ravel(),
            "curvature": self.curvature.ravel(),
        }
        if self.n_rounds is not None:
            columns = {"rounds": np.full(self.n_rows.size, self.n_rounds), **columns}
        return data_frame(columns)


def gradient_budget(
    y_true: Any,
    raw_prediction: Any,
    loss: Loss,
    sample_weight: Any = None,
    *,
    curvature: str = "certified",
    difficulty: str = "posterior",
    edges: float | Sequence[float] = EDGES,
) -> GradientBudget:
    """Return which share of |gradient| and curvature easy and hard rows carry.

    Of any loss with a gradient that sums to zero over the rows, as that of every loss
    does at the best constant, the negatives carry half of sum |gradient|, whatever the
    imbalance and gamma: what positives carry there is a matter of the start. By the
    same equation a negative's |gradient| is that of a positive of the same posterior
    times the posterior odds, under every gamma: measured by the posterior, an easy
    negative has the gradient that it has under log loss.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,), or (n_samples, T) for T binary problems
        Labels 0 and 1, or 0, ..., K - 1 for a SoftmaxFocalLoss.
    raw_prediction : array-like
        Raw predictions of the shape of y_true, or (n_samples, K).
    loss : FocalLoss or SoftmaxFocalLoss
        ``FocalLoss(gamma=0)`` is the log loss, with ``sample_weight`` the weighted one.
    sample_weight : array-like of shape (n_samples,), optional
        Weights of the rows, which multiply gradient and curvature.
    curvature : {"certified", "exact"}, default="certified"
        What the host gets in place of the hessian. "exact" is the hessian, which the
        hosts' own log loss takes; of hard rows it is negative where gamma > 0, and a
        share is then one of the sum of absolute values.
    difficulty : {"posterior", "score"}, default="posterior"
        p_t is the probability of the true class by the posterior, so that losses can
        be compared, or by the focal score, as in the paper.
    edges : float or sequence of float
        Bounds of the bins of p_t, increasing, inside (0, 1).

    Raises
    ------
    ValueError
        If an argument is out of range, or no row has a gradient.

    References
    ----------
    Lin et al., *Focal Loss for Dense Object Detection*, 2017, whose figure 4 shows the
    loss of easy and hard examples in this way.

    Examples
    --------
    >>> import numpy as np
    >>> from focalboost import FocalLoss
    >>> from focalboost.diagnostics import gradient_budget
    >>> y_true = np.repeat([0, 1], [999, 1])
    >>> loss = FocalLoss(gamma=0)
    >>> gradient_budget(y_true, np.zeros(1000), loss).gradient_by_class  # from 0
    array([0.999, 0.001])
    >>> start = np.full(1000, loss.baseline(y_true))
    >>> gradient_budget(y_true, start, loss).gradient_by_class.round(12)
    array([0.5, 0.5])
    """
    one_of("curvature", curvature, ("certified", "exact"))
    one_of("difficulty", difficulty, ("posterior", "score"))
    bounds = _checked_edges(edges)
    loss = checked_loss(loss, None)
    y = numeric_labels(y_true)
    raw = np.asarray(raw_prediction, dtype=np.float64)
    n_classes = 2 if isinstance(loss, FocalLoss) else loss.n_classes
    require_classes(np, y, n_classes)
    both = (
        loss.gradient_curvature if curvature == "certified" else loss.gradient_hessian
    )
    sizes = [np.abs(_per_row(part, y)) for part in both(y, raw, sample_weight)]
    easiness = np.searchsorted(bounds, _p_t(loss, y, raw, difficulty), side="right")
    cell = (y.astype(np.intp) * (len(bounds) + 1) + easiness).ravel()
    shape = (n_classes, len(bounds) + 1)

    def summed(values: NDArray[np.float64] | None) -> NDArray[Any]:
        weights = None if values is None else values.ravel()
        return np.bincount(cell, weights, minlength=np.prod(shape)).reshape(shape)

    gradient, squares = summed(sizes[0]), summed(sizes[0] ** 2).sum(axis=1)
    if not gradient.sum() > 0:
        reject("y_true", "of rows with a gradient", y.shape, "Pass rows that count.")
    effective = np.divide(
        gradient.sum(axis=1) ** 2, squares, where=squares > 0, out=np.zeros(n_classes)
    )
    return GradientBudget(
        loss,
        tuple(range(n_classes)),
        bounds,
        summed(None),
        gradient / gradient.sum(),
        _shares(summed(sizes[1])),
        effective,
    )


def gradient_budget_by_round(
    model: Any,
    X: Any,
    y_true: Any,
    rounds: int | Iterable[int] = (0, 10, 100),
    sample_weight: Any = None,
    **options: Any,
) -> tuple[GradientBudget, ...]:
    """Return the budget of a fitted model after each number of rounds.

    Parameters
    ----------
    model : FocalXGBClassifier, FocalLGBMClassifier, XGBClassifier or LGBMClassifier
        A fitted model. The hosts' own classifiers have to be trained with log loss.
    X : array-like of shape (n_samples, n_features)
        The rows that the model was trained on, or others.
    y_true : array-like of shape (n_samples,)
        Labels as the model was trained on.
    rounds : int or iterable of int, default=(0, 10, 100)
        Numbers of boosting rounds, at most those that the model has. 0 is where
        training starts; of a LightGBM model, which does not keep it, it is the best
        constant for these rows.
    sample_weight : array-like of shape (n_samples,), optional
        Weights of the rows, as in training.
    **options
        ``curvature``, ``difficulty`` and ``edges`` of ``gradient_budget``. The default
        curvature is the one that the model was trained with: the hessian for the
        hosts' own log loss.

    Returns
    -------
    tuple of GradientBudget
        One for each of the rounds.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from focalboost import FocalLGBMClassifier
    >>> from focalboost.diagnostics import gradient_budget_by_round
    >>> X, y = make_classification(2000, weights=[0.98], random_state=0)
    >>> model = FocalLGBMClassifier(n_estimators=10, verbosity=-1).fit(X, y)
    >>> start, end = gradient_budget_by_round(model, X, y, rounds=(0, 10))
    >>> start.gradient_by_class.round(6)
    array([0.5, 0.5])
    >>> bool(end.effective_rows[0] < start.effective_rows[0])
    True
    """
    loss, own_curvature = loss_of_model(model)
    options.setdefault("curvature", own_curvature)
    y = codes_of(y_true, model.classes_)

    def after(n_rounds: int) -> GradientBudget:
        raw = raw_prediction_at(model, X, n_rounds, loss, y, sample_weight)
        budget = gradient_budget(y, raw, loss, sample_weight, **options)
        return replace(budget, n_rounds=n_rounds)

    return tuple(after(n_rounds) for n_rounds in numbers_of(rounds))


def _per_row(derivative: Any, y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of K derivatives of a softmax row the one of its true class.

    The others are of the opposite sign and of the same sum.
    """
    values = np.asarray(derivative, dtype=np.float64)
    if values.ndim == y.ndim:
        return values
    return np.take_along_axis(values, y.astype(np.intp)[:, None], axis=1)[:, 0]


def _p_t(
    loss: Loss, y: NDArray[np.float64], raw: NDArray[np.float64], difficulty: str
) -> NDArray[np.float64]:
    """The probability of the true class."""
    if isinstance(loss, FocalLoss):
        if difficulty == "posterior":
            raw = np.asarray(loss.posterior_log_odds(raw))
        return np.asarray(expit(np.where(y == 1, raw, -raw)))
    is_posterior = difficulty == "posterior"
    logs = loss.log_posterior(raw) if is_posterior else log_softmax(raw, axis=1)
    return np.exp(_per_row(logs, y))


def _shares(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    total = sums.sum()
    return sums / total if total > 0 else sums


def _checked_edges(edges: float | Sequence[float]) -> tuple[float, ...]:
    bounds = np.asarray(numbers_of(edges), dtype=np.float64)
    is_inside = bounds.ndim == 1 and np.all((bounds > 0) & (bounds < 1))
    if not (is_inside and np.all(np.diff(bounds) > 0)):
        reject("edges", "increasing numbers inside (0, 1)", edges, f"Use {EDGES}.")
    return tuple(bounds.tolist())
