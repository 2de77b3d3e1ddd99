"""compare_losses: every method on the same folds with the same search."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils.validation import check_consistent_length

from focalboost._validation import one_of, reject, require_weights
from focalboost.diagnostics._comparison import Comparison
from focalboost.diagnostics._estimator import require_comparable
from focalboost.diagnostics._fitting import STOP_ON
from focalboost.diagnostics._folds import folds_of
from focalboost.diagnostics._journal import Fit, Journal
from focalboost.diagnostics._methods import METHODS, Method
from focalboost.diagnostics._plan import Plan, fitted
from focalboost.diagnostics._progress import progress_bar
from focalboost.diagnostics._rebalance import Part, require_samplers
from focalboost.diagnostics._tuning import points_of
from focalboost.losses import FocalLoss

__all__ = ["compare_losses"]

#: What names a method.
LossLike = Method | FocalLoss | str


def compare_losses(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    losses: LossLike | Sequence[LossLike] = METHODS,
    cv: Any = None,
    groups: Any = None,
    grid: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
    sample_weight: Any = None,
    stop_on: str = "loss",
    false_positive_rate: float = 0.001,
    random_state: int = 0,
    n_jobs: int | None = 1,
    progress: bool = True,
    file: str | Path | None = None,
) -> Comparison:
    """Compare what can be done about rare positives, by paired cross-validation.

    Every method has the same folds, the same search (``tuned``: each grid point, early
    stopping on an inner holdout, the best average precision there) and the same seeds.
    Differences are paired by fold, with intervals that allow for the overlap of the
    training sets; tests are adjusted for the number of methods. A fit that fails is
    listed with its error.

    Parameters
    ----------
    estimator : FocalXGBClassifier or FocalLGBMClassifier
        Host and its parameters, the same for all methods; not fitted, not changed.
        Gamma, alpha and class weights are for ``losses`` to say.
    X : array-like or DataFrame of shape (n_samples, n_features)
        Features, missing values as NaN.
    y : array-like of shape (n_samples,)
        Labels of two classes, the later in order the positive one.
    losses : Method, FocalLoss, str or a sequence of these, default=METHODS
        What to compare; the first is what the others are compared with. A text is the
        name of one of ``METHODS``.
    cv : int, splitter or iterable of splits, optional
        Folds; a number is of shuffled, stratified ones. The default is
        ``RepeatedStratifiedKFold(n_splits=5, n_repeats=2)``: with fewer folds
        intervals are wide. Rows in order of time need ``TimeSeriesSplit()``.
    groups : array-like of shape (n_samples,), optional
        Rows of one group, such as a customer, stay in one part of each fold, by
        ``cv``; a number, or 5 by default, is then of ``StratifiedGroupKFold``. The
        inner holdout of the search is drawn by rows.
    grid : dict of the host's parameters or sequence of dicts, optional
        The points that each method may choose from; they replace what is set on the
        estimator. By default two, the host's defaults and smaller, regularised trees,
        with at most 300 rounds at learning rate 0.1, without what is set on the
        estimator: its ``n_estimators``, for instance, is then the most rounds.
    sample_weight : array-like of shape (n_samples,), optional
        Weights of the rows, in training and in all scores.
    stop_on : {"loss", "average_precision"}, default="loss"
        What early stopping watches: the loss that is trained, weighted as it is
        trained, or the ranking.
    false_positive_rate : float, default=0.001
        At which the recall is measured.
    random_state : int, default=0
        Of folds, holdouts, resampling and hosts.
    n_jobs : int or None, default=1
        Fits at a time, as in joblib. If it is not 1, each fit has one thread unless
        the estimator says otherwise.
    progress : bool, default=True
        Whether to show a bar on standard error; needs rich.
    file : path, optional
        Keeps every fit as soon as it is done. The same call goes on from there, and
        tries again what failed; more methods may be added.

    Returns
    -------
    Comparison
        Scores, differences and the verdict, which may be to use log loss, or no model.

    Raises
    ------
    ValueError
        If an argument is out of range, y has not two classes, or ``file`` holds
        another comparison.
    ModuleNotFoundError
        If SMOTE is among the losses, and imbalanced-learn is not installed.

    References
    ----------
    Nadeau & Bengio, *Inference for the Generalization Error*, 2003; Holm, *A Simple
    Sequentially Rejective Multiple Test Procedure*, 1979.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from focalboost import FocalLGBMClassifier, FocalLoss
    >>> from focalboost.diagnostics import compare_losses
    >>> X, y = make_classification(1000, weights=[0.95], random_state=0)
    >>> found = compare_losses(
    ...     FocalLGBMClassifier(n_jobs=1), X, y,
    ...     losses=["log loss", FocalLoss(gamma=2)], cv=3, progress=False,
    ... )
    >>> found.names
    ('log loss', 'focal, γ = 2')
    >>> found.values("log loss", "log_loss").shape
    (3,)
    """
    one_of("stop_on", stop_on, STOP_ON)
    require_comparable(estimator)
    methods = _methods(losses)
    require_samplers(methods)
    check_consistent_length(X, y, sample_weight, groups)
    data = _labelled(X, y, sample_weight)
    _check_rate(false_positive_rate)
    if n_jobs != 1 and estimator.get_params(deep=False)["n_jobs"] is None:
        estimator = type(estimator)(**{**estimator.get_params(deep=False), "n_jobs": 1})
    points = points_of(grid, estimator)
    for point in points:
        require_comparable(clone(estimator).set_params(**point))
    folds = folds_of(cv, data, groups, random_state)
    plan = Plan(
        estimator, points, data, folds, stop_on, false_positive_rate, random_state
    )
    journal = Journal(None if file is None else Path(file), plan.fingerprint())
    todo = [
        (method, fold)
        for fold in range(len(folds))
        for method in methods
        if (repr(method), fold) not in journal
    ]
    bar = progress_bar(len(methods) * len(folds), len(todo), progress)
    with bar as advance:
        work = (joblib.delayed(fitted)(plan, *one) for one in todo)
        parallel = joblib.Parallel(n_jobs=n_jobs, return_as="generator_unordered")
        for settings, fit in parallel(work):
            journal.add(settings, fit)
            advance()
    fits = [
        journal[repr(method), fold] for method in methods for fold in range(len(folds))
    ]
    return _comparison(plan, methods, fits)


def _comparison(plan: Plan, methods: tuple[Method, ...], fits: list[Fit]) -> Comparison:
    constants = tuple(plan.constant(fold) for fold in range(len(plan.folds)))
    log_odds = {
        method.name: np.full(len(plan.data.y), np.nan, np.float32) for method in methods
    }
    for fit in fits:
        if fit.log_odds is not None:
            log_odds[fit.method][plan.folds[fit.fold][1]] = fit.log_odds
    return Comparison(
        methods,
        tuple(fits),
        constants,
        plan.settings(),
        {n: plan.folds[n][1] for n in range(len(plan.folds)) if plan.is_first_test(n)},
        float(np.mean([len(test) / len(train) for train, test in plan.folds])),
        plan.data.y,
        plan.data.weight,
        log_odds,
    )


def _methods(losses: LossLike | Sequence[LossLike]) -> tuple[Method, ...]:
    several = [losses] if isinstance(losses, LossLike) else losses
    methods = tuple(_method(loss) for loss in several)
    names = [method.name for method in methods]
    if not names or len(set(names)) < len(names):
        reject("losses", "methods of different names", names, "Name each once.")
    return methods


def _method(loss: LossLike) -> Method:
    if isinstance(loss, FocalLoss):
        gamma = "({:g}, {:g})".format(*loss.gammas)
        gamma = gamma if isinstance(loss.gamma, tuple) else f"{loss.gamma:g}"
        alpha = "" if loss.alpha is None else f", α = {loss.alpha:g}"
        return Method(f"focal, γ = {gamma}{alpha}", loss.gamma, loss.alpha)
    if isinstance(loss, Method):
        return loss
    known = {method.name: method for method in METHODS}
    if loss not in known:
        names = ", ".join(known)
        reject(
            "losses", "made of methods, losses and known names", loss, f"Use {names}."
        )
    return known[loss]


def _labelled(X: Any, y: Any, sample_weight: Any) -> Part:
    labels = np.asarray(y)
    classes = np.unique(labels[~_missing(labels)])
    if len(classes) != 2 or _missing(labels).any() or labels.ndim != 1:
        shown = classes[:5].tolist()
        reject(
            "y", "a column of labels of two classes, none missing", shown, "Relabel."
        )
    weight = None
    if sample_weight is not None:
        weight = np.asarray(sample_weight, np.float64)
        require_weights(np, weight)
    return Part(X, (labels == classes[1]).astype(np.int8), weight)


def _missing(labels: NDArray[Any]) -> Any:
    return labels != labels  # NaN, and no text


def _check_rate(false_positive_rate: float) -> None:
    if not 0 < false_positive_rate < 1:
        reject(
            "false_positive_rate",
            "between 0 and 1, both excluded",
            false_positive_rate,
            "Use 0.001 for one alert in a thousand negatives.",
        )
