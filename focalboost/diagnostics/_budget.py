"""Gradient budget: which rows a loss spends its gradient and curvature on."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_softmax, logit

from focalboost._hosts._imports import data_frame
from focalboost._hosts._params import checked_loss
from focalboost._validation import (
    codes_of,
    numbers_of,
    numeric_labels,
    one_of,
    reject,
    require_classes,
    whole_number,
)
from focalboost.lightgbm._model import balance_of as lightgbm_balance
from focalboost.losses import FocalLoss, Loss, SoftmaxFocalLoss
from focalboost.xgboost._model import balance_of as xgboost_balance
from focalboost.xgboost._model import is_linear

#: Rows below the first two are hard, rows above the last two are easy.
EDGES = (0.1, 0.5, 0.9, 0.99, 0.999)


@dataclass(frozen=True, eq=False)
class GradientBudget:
    """Shares of the total ``|gradient|`` and curvature, by class and by p_t.

    p_t is the probability that the model gives to the true class.

    Attributes
    ----------
    loss : FocalLoss or SoftmaxFocalLoss
        The loss of the gradient.
    classes : tuple of int
        0 for negatives and 1 for positives, or 0, ..., K - 1.
    edges : tuple of float
        The B - 1 bounds inside (0, 1) between B bins of p_t. The first bins hold the
        hardest rows. A row on a bound belongs to the bin above it.
    n_rows : ndarray of int, shape (n_classes, B)
        Rows of each class and bin.
    gradient, curvature : ndarray of shape (n_classes, B)
        Shares of the sums of ``|gradient|`` and of the curvature over all rows. Each
        array sums to 1.
    effective_rows : ndarray of shape (n_classes,)
        ``sum(|gradient|)**2 / sum(gradient**2)``: the number of rows of equal
        gradient that would weigh as much.
    n_rounds : int or None
        The boosting rounds that gave the raw predictions, if known.
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
        """The share of ``|gradient|`` of each class, shape (n_classes,)."""
        return np.asarray(self.gradient.sum(axis=1))

    @property
    def curvature_by_class(self) -> NDArray[np.float64]:
        """The share of the curvature of each class, shape (n_classes,)."""
        return np.asarray(self.curvature.sum(axis=1))

    def to_pandas(self) -> Any:
        """Return a DataFrame with one row for each class and bin."""
        n_classes, n_bins = self.n_rows.shape
        columns = {
            "class": np.repeat(self.classes, n_bins),
            "p_t from": np.tile((0.0, *self.edges), n_classes),
            "p_t to": np.tile((*self.edges, 1.0), n_classes),
            "rows": self.n_rows.ravel(),
            "gradient": self.gradient.ravel(),
            "curvature": self.curvature.ravel(),
        }
        rounds = {} if self.n_rounds is None else {"rounds": self.n_rounds}
        return data_frame({**rounds, **columns})


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
    """Return which share of ``|gradient|`` and curvature easy and hard rows carry.

    At the best constant the gradient sums to zero over the rows. The negatives then
    carry half of ``sum |gradient|``, under any loss, imbalance and gamma: the share of
    the positives is a matter of the start. For the same reason, a negative that is easy
    by its posterior has about the same gradient under every gamma as under log loss.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,), or (n_samples, T) for T binary problems
        Labels 0 and 1, or 0, ..., K - 1 for a SoftmaxFocalLoss.
    raw_prediction : array-like
        Raw predictions of the shape of y_true, or (n_samples, K).
    loss : FocalLoss or SoftmaxFocalLoss
        ``FocalLoss(gamma=0)`` is the log loss.
    sample_weight : array-like of shape (n_samples,), optional
        Weights of the rows. They multiply gradient and curvature.
    curvature : {"certified", "exact"}, default="certified"
        "certified" is what the host gets in place of the hessian. "exact" is the
        hessian, which the hosts' own log loss uses. The hessian of hard rows is
        negative if gamma > 0: shares are then those of absolute values.
    difficulty : {"posterior", "score"}, default="posterior"
        "posterior" takes p_t from the posterior, which compares losses. "score" takes
        it from the focal score, as the paper does.
    edges : float or sequence of float
        Bounds of the bins of p_t, increasing, inside (0, 1).

    Returns
    -------
    GradientBudget

    Raises
    ------
    ValueError
        If an argument is out of range, or no row has a gradient.

    References
    ----------
    Lin et al., *Focal Loss for Dense Object Detection*, 2017, Figure 4.

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
    bounds = np.asarray(numbers_of(edges), dtype=np.float64)
    if bounds.ndim != 1 or not np.all(np.diff([0.0, *bounds, 1.0]) > 0):
        reject("edges", "increasing numbers inside (0, 1)", edges, f"Use {EDGES}.")
    loss = checked_loss(loss, None)
    y = numeric_labels(y_true)
    raw = np.asarray(raw_prediction, dtype=np.float64)
    n_classes = 2 if isinstance(loss, FocalLoss) else loss.n_classes
    require_classes(np, y, n_classes)
    is_certified = curvature == "certified"
    both = loss.gradient_curvature if is_certified else loss.gradient_hessian
    slope, bend = (np.abs(_per_row(x, y)) for x in both(y, raw, sample_weight))
    bin_of_row = np.searchsorted(bounds, _p_t(loss, y, raw, difficulty), side="right")
    shape = (n_classes, len(bounds) + 1)
    cell = np.ravel_multi_index((y.astype(np.intp), bin_of_row), shape).ravel()

    def summed(values: NDArray[np.float64] | None) -> NDArray[Any]:
        weights = None if values is None else values.ravel()
        return np.bincount(cell, weights, minlength=np.prod(shape)).reshape(shape)

    gradient, curvatures = summed(slope), summed(bend)
    if not gradient.sum() > 0:
        rule = "labels of rows with a gradient"
        reject("y_true", rule, y.shape, "Pass rows with a positive weight.")
    squares = summed(slope**2).sum(axis=1)
    effective = np.divide(
        gradient.sum(axis=1) ** 2, squares, where=squares > 0, out=np.zeros(n_classes)
    )
    return GradientBudget(
        loss=loss,
        classes=tuple(range(n_classes)),
        edges=tuple(bounds.tolist()),
        n_rows=summed(None),
        gradient=gradient / gradient.sum(),
        curvature=curvatures / (curvatures.sum() or 1.0),
        effective_rows=effective,
    )


def gradient_budget_by_round(
    model: Any,
    X: Any,
    y_true: Any,
    rounds: int | Iterable[int] = (0, 10, 100),
    sample_weight: Any = None,
    **options: Any,
) -> tuple[GradientBudget, ...]:
    """Return the budget of a training after each number of its rounds.

    The constant that balances the fitted model is left out, because it is added after
    the last round.

    Parameters
    ----------
    model : FocalXGBClassifier, FocalLGBMClassifier, XGBClassifier or LGBMClassifier
        A fitted model of trees. The hosts' own classifiers must be trained with log
        loss. Trees of ``dart`` have the weights that they have in the end.
    X : array-like of shape (n_samples, n_features)
        The rows that the model was trained on, or others.
    y_true : array-like of shape (n_samples,)
        Labels, as passed to ``fit``.
    rounds : int or iterable of int, default=(0, 10, 100)
        Numbers of boosting rounds, at most those of the model. 0 is the start of
        training. A LightGBM model does not keep its start: 0 is then the best constant
        for these rows.
    sample_weight : array-like of shape (n_samples,), optional
        Weights of the rows, as passed to ``fit``.
    **options
        ``curvature``, ``difficulty`` and ``edges`` of ``gradient_budget``. The default
        curvature is the one of the training: the hessian for the hosts' own log loss.

    Returns
    -------
    tuple of GradientBudget, one for each number of rounds

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
    """
    host = host_of(model)
    loss, own_curvature = _loss_of(model)
    options.setdefault("curvature", own_curvature)
    y = codes_of(y_true, model.classes_)
    if host == "xgboost":
        booster = model.get_booster()
        if is_linear(booster):
            advice = "A linear model does not keep its rounds: use gradient_budget."
            reject("model", "of trees", 'booster="gblinear"', advice)
        trained, balance = booster.num_boosted_rounds(), xgboost_balance(booster)
    else:
        booster = model.booster_
        trained, balance = booster.current_iteration(), lightgbm_balance(booster)
    budgets = []
    for n_rounds in numbers_of(rounds):
        whole_number("rounds", n_rounds, 0, "Use rounds=(0, 10, 100).")
        if n_rounds > trained:
            rule = f"at most the {trained} rounds of the model"
            reject("rounds", rule, n_rounds, "Train longer, or use fewer.")
        if n_rounds == 0:
            raw = _start(model, loss, y, sample_weight, balance)
        else:
            raw = raw_prediction_of(model, X, n_rounds) - balance
        budget = gradient_budget(y, raw, loss, sample_weight, **options)
        budgets.append(replace(budget, n_rounds=n_rounds))
    return tuple(budgets)


def host_of(model: Any) -> str:
    """The host of a classifier, by name: "xgboost" or "lightgbm"."""
    modules = {cls.__module__.partition(".")[0] for cls in type(model).__mro__}
    hosts = modules & {"xgboost", "lightgbm"}
    if len(hosts) != 1:
        rule = "a classifier of XGBoost or LightGBM"
        reject("model", rule, model, "Use FocalLGBMClassifier().")
    return hosts.pop()


def _loss_of(model: Any) -> tuple[Loss, str]:
    """The loss of a model's training, and the kind of its curvature."""
    if hasattr(model, "focal_loss_"):
        return model.focal_loss_, "certified"
    name = getattr(model, "objective_", None) or model.objective
    if name in ("binary:logistic", "binary"):
        return FocalLoss(0), "exact"
    if name in ("multi:softprob", "multi:softmax", "multiclass"):
        return SoftmaxFocalLoss(int(model.n_classes_), 0), "exact"
    rule = "trained with log loss or focal loss"
    return reject("model", rule, name, "Fit it with the default objective.")


def _start(
    model: Any, loss: Loss, y: NDArray[Any], sample_weight: Any, balance: Any
) -> NDArray[np.float64]:
    """XGBoost keeps the start, for two classes as a probability; LightGBM does not."""
    shape = y.shape if isinstance(loss, FocalLoss) else (len(y), loss.n_classes)
    if host_of(model) == "lightgbm":
        return np.full(shape, loss.baseline(y, sample_weight))
    start = np.asarray(model.intercept_, dtype=np.float64)
    start = logit(start) if isinstance(loss, FocalLoss) else start
    return np.full(shape, start - balance)


def raw_prediction_of(
    model: Any, X: Any, n_rounds: int | None = None
) -> NDArray[np.float64]:
    """The raw predictions after a number of rounds. None is up to the best one."""
    if host_of(model) == "xgboost":
        raw = model.predict(X, output_margin=True, iteration_range=(0, n_rounds or 0))
    else:
        raw = model.predict(X, raw_score=True, num_iteration=n_rounds)
    return np.asarray(raw, dtype=np.float64)


def _per_row(values: Any, y: NDArray[np.float64]) -> NDArray[np.float64]:
    """One value for each row: of K values of a softmax row, that of its true class.

    The derivatives of the other classes sum to the same, with the opposite sign.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim == y.ndim:
        return array
    return np.take_along_axis(array, y.astype(np.intp)[:, None], axis=1)[:, 0]


def _p_t(
    loss: Loss, y: NDArray[np.float64], raw: NDArray[np.float64], difficulty: str
) -> NDArray[np.float64]:
    """The probability of the true class."""
    is_posterior = difficulty == "posterior"
    if isinstance(loss, FocalLoss):
        log_odds = np.asarray(loss.posterior_log_odds(raw) if is_posterior else raw)
        return np.asarray(expit((2 * y - 1) * log_odds))
    log_p = loss.log_posterior(raw) if is_posterior else log_softmax(raw, axis=1)
    return np.exp(_per_row(log_p, y))
