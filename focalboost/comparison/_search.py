"""The training of a method: early stopping, and the same small search for all."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_expit, logsumexp
from sklearn.base import clone
from sklearn.metrics import average_precision_score, log_loss
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline

from focalboost._hosts._imports import import_host
from focalboost._validation import one_of, reject
from focalboost.comparison._methods import (
    Method,
    Part,
    TableEncoder,
    as_pandas,
    class_ratio,
    part_of,
    training_sets,
    weighted,
)
from focalboost.diagnostics._budget import host_of, raw_prediction_of
from focalboost.estimators._base import FocalClassifierMixin, without_own
from focalboost.lightgbm._params import LEARNING_RATE, MIN_CURVATURE, ROUNDS

Grid = Mapping[str, Any] | Sequence[Mapping[str, Any]]

#: What early stopping may watch.
STOP_ON = ("loss", "average_precision")

#: Rounds without an improvement after which training ends.
PATIENCE = 30

#: Share of the rows that choose the rounds and the grid point.
VALIDATION_SHARE = 0.25

#: The same for all points of the default grid. Early stopping finds the rounds.
MOST_ROUNDS = {"n_estimators": 300, "learning_rate": 0.1}

_GRIDS: dict[str, tuple[dict[str, Any], ...]] = {
    "xgboost": (
        {"max_depth": 6, "reg_lambda": 1, "min_child_weight": 1},
        {"max_depth": 4, "reg_lambda": 5, "min_child_weight": 1},
    ),
    "lightgbm": (
        {"num_leaves": 31, "reg_lambda": 0, "min_child_weight": 1e-3},
        {"num_leaves": 15, "max_depth": 4, "reg_lambda": 5, "min_child_weight": 1},
    ),
}

#: The parameters of a grid by their other names, on each host.
_OTHER_NAMES: dict[str, dict[str, str]] = {
    "xgboost": {"eta": "learning_rate", "lambda": "reg_lambda"},
    "lightgbm": {
        **dict.fromkeys(ROUNDS, "n_estimators"),
        **dict.fromkeys(LEARNING_RATE, "learning_rate"),
        **dict.fromkeys(("num_leaf", "max_leaves", "max_leaf"), "num_leaves"),
        "max_leaf_nodes": "num_leaves",
        **dict.fromkeys(("lambda_l2", "lambda", "l2_regularization"), "reg_lambda"),
        **dict.fromkeys(MIN_CURVATURE, "min_child_weight"),
    },
}

#: Parameters that the comparison sets itself, and what to do instead.
_DECIDED = {
    "class_weight": "Every method has its own weights: put them into losses.",
    "focal_gamma": "Put it into losses, as losses=[FocalLoss(gamma=1)].",
    "focal_alpha": "Put it into losses, as losses=[FocalLoss(gamma=2, alpha=0.25)].",
    "early_stopping_rounds": "It is the same in every fit: set n_estimators for fewer.",
    "eval_metric": 'Use stop_on="loss" or stop_on="average_precision".',
}


@dataclass(frozen=True, eq=False)
class Fitted:
    """A trained method, and the probabilities that it gives.

    Attributes
    ----------
    method : Method
        The method.
    models : tuple
        The fitted estimators: one, or those of bagging. For the host's own log loss
        they are the host's own classifiers.
    prior_factors : tuple of float
        For each model of bagging, the factor by which its rows multiply the odds of a
        positive. Predictions are divided by it.
    transformers : Pipeline, TableEncoder or None
        What is fitted on the training rows, and makes the features of the models.
    n_rounds : int
        The rounds that predictions use, for bagging the mean.
    odds_factor : float
        Factor by which weights and resampling multiply the odds of a positive.
    seconds : float
        Wall time of transformers, weights, resampling and training.
    """

    method: Method
    models: tuple[Any, ...]
    prior_factors: tuple[float, ...]
    transformers: Any
    n_rounds: int
    odds_factor: float
    seconds: float

    @property
    def model(self) -> Any:
        """The fitted estimator of a method without bagging."""
        if len(self.models) > 1:
            reject("model", "asked for without bagging", self.method, "Use models.")
        return self.models[0]

    def transformed(self, X: Any) -> Any:
        """Return the features that the models read."""
        table = as_pandas(X)
        return (
            table if self.transformers is None else self.transformers.transform(table)
        )

    def log_odds(self, X: Any) -> NDArray[np.float64]:
        """Return the logit of the probability of the positive class.

        Log-odds rank rows whose float32 probabilities would all be 1.
        """
        Z = self.transformed(X)
        if self.method.is_focal:
            each = [np.asarray(one.decision_function(Z)) for one in self.models]
        else:
            each = [raw_prediction_of(one, Z) for one in self.models]
        if len(each) == 1:
            return each[0]
        shifted = np.stack(each) - np.log(self.prior_factors)[:, None]
        # The logit of the mean probability: 1 - mean would be 0 for large log-odds.
        of_positive, of_negative = logsumexp(log_expit([shifted, -shifted]), axis=1)
        return np.asarray(of_positive - of_negative)

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the probabilities of both classes, shape (n_samples, 2).

        Those of a focal loss are the class-posterior. Weights and resampling shift
        probabilities on purpose.
        """
        return _of_both_classes(self.log_odds(X))

    def corrected_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the probabilities without the shift by weights and resampling.

        The odds are divided by ``odds_factor`` (Elkan 2001).
        """
        return _of_both_classes(self.log_odds(X) - np.log(self.odds_factor))


def _of_both_classes(log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.column_stack([expit(-log_odds), expit(log_odds)])


def fit(
    method: Method,
    estimator: Any,
    X: Any,
    y: Any,
    sample_weight: Any,
    X_valid: Any,
    y_valid: Any,
    sample_weight_valid: Any,
    random_state: int,
    *,
    stop_on: str = "loss",
) -> Fitted:
    """Train a method with early stopping on the validation rows.

    Parameters
    ----------
    method : Method
        The method. It brings gamma, alpha, weights and resampling. The host's own log
        loss is trained by the host's own classifier.
    estimator : FocalXGBClassifier, FocalLGBMClassifier or a Pipeline that ends in one
        The host and its parameters. The estimator is not changed. The transformers of
        a pipeline are fitted on the training rows. Without a pipeline, a data frame
        goes through a ``TableEncoder``.
    X, y, sample_weight : array-like or data frame, array-like, array-like or None
        Training rows: features, labels 0 and 1, and weights or None.
    X_valid, y_valid, sample_weight_valid : as the training rows
    random_state : int
        Seed of the resampling and of the host.
    stop_on : {"loss", "average_precision"}, default="loss"
        What early stopping watches: the loss of the training with the weights of the
        method, or the average precision.

    Returns
    -------
    Fitted

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from focalboost import FocalXGBClassifier
    >>> from focalboost.comparison import Method, fit
    >>> X, y = make_classification(1000, weights=[0.95], random_state=0)
    >>> method = Method("weights", weight=1.0)
    >>> estimator = FocalXGBClassifier(n_jobs=1)
    >>> rows, stop = (X[:700], y[:700], None), (X[700:], y[700:], None)
    >>> fitted = fit(method, estimator, *rows, *stop, random_state=0)
    >>> type(fitted.model).__name__, round(fitted.odds_factor, 1)
    ('XGBClassifier', 17.9)
    """
    start = perf_counter()
    one_of("stop_on", stop_on, STOP_ON)
    require_comparable(estimator)
    train = part_of(X, y, sample_weight)
    valid = part_of(X_valid, y_valid, sample_weight_valid)
    transformers = TableEncoder() if hasattr(train.X, "dtypes") else None
    if isinstance(estimator, Pipeline):
        transformers = clone(estimator)[:-1] if len(estimator) > 1 else None
    if transformers is not None:
        train = train._replace(X=transformers.fit_transform(train.X, train.y))
        valid = valid._replace(X=transformers.transform(valid.X))
    sets = training_sets(method, train, random_state)
    models, rounds = [], []
    for number, (rows, factor) in enumerate(sets):
        model = _model(method, last_step(estimator), train.X)
        model.set_params(random_state=random_state + number)
        rounds.append(_trained(model, rows, weighted(valid, factor), stop_on))
        models.append(model)
    factors = tuple(factor for _, factor in sets)
    is_one = method.bagging is None
    return Fitted(
        method,
        models=tuple(models),
        prior_factors=(1.0,) if is_one else factors,
        transformers=transformers,
        n_rounds=round(np.mean(rounds)),
        odds_factor=factors[0] if is_one else 1.0,
        seconds=perf_counter() - start,
    )


@dataclass(frozen=True, eq=False)
class Tuned(Fitted):
    """The best of the fits of a method, one for each grid point.

    Attributes
    ----------
    params : Mapping
        Its grid point.
    average_precision, log_loss : float
        Scores on the inner validation rows. The log loss is that of the corrected
        probabilities.
    seconds : float
        Wall time of the whole search. The other attributes are those of ``Fitted``.
    """

    params: Mapping[str, Any]
    average_precision: float
    log_loss: float


def default_grid(estimator: Any) -> tuple[dict[str, Any], ...]:
    """Return two points: the host's defaults, and smaller, regularised trees.

    Both have at most 300 rounds with a learning rate of 0.1. Parameters that you set
    on the estimator, to other values than its defaults, are left out of the points.
    LightGBM's defaults put no penalty on leaves, and its log loss may diverge there.

    Parameters
    ----------
    estimator : FocalXGBClassifier, FocalLGBMClassifier or a Pipeline that ends in one

    Returns
    -------
    tuple of dict

    Examples
    --------
    >>> from focalboost import FocalXGBClassifier
    >>> from focalboost.comparison import default_grid
    >>> [point["max_depth"] for point in default_grid(FocalXGBClassifier())]
    [6, 4]
    >>> default_grid(FocalXGBClassifier(max_depth=3, n_estimators=50))[1]
    {'learning_rate': 0.1, 'reg_lambda': 5, 'min_child_weight': 1}
    """
    fixed, host = parameters_set(estimator), host_of(last_step(estimator))
    first, second = (
        {name: whole[name] for name in whole if name not in fixed}
        for whole in ({**MOST_ROUNDS, **point} for point in _GRIDS[host])
    )
    return (first,) if first == second else (first, second)


def tuned(
    method: Method,
    estimator: Any,
    grid: Grid | None,
    X: Any,
    y: Any,
    sample_weight: Any,
    random_state: int,
    *,
    stop_on: str = "loss",
) -> Tuned:
    """Train a method at every grid point, and return the best.

    A quarter of the rows, stratified, stops each training early and judges it: by
    average precision, and in a tie by the log loss of the corrected probabilities. The
    best is not trained again on all rows. All methods with the same ``random_state``
    have the same quarter.

    Parameters
    ----------
    method, estimator, X, y, sample_weight, random_state, stop_on : as in ``fit``
    grid : as in ``compare_losses``
        None is ``default_grid(estimator)``.

    Returns
    -------
    Tuned

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from focalboost import FocalXGBClassifier
    >>> from focalboost.comparison import LOG_LOSS, tuned
    >>> X, y = make_classification(1000, weights=[0.95], random_state=0)
    >>> grid = [{"max_depth": 2}, {"max_depth": 4}]
    >>> best = tuned(LOG_LOSS, FocalXGBClassifier(n_jobs=1), grid, X, y, None, 0)
    >>> best.params in grid
    True
    """
    start = perf_counter()
    part = part_of(X, y, sample_weight)
    options = {"test_size": VALIDATION_SHARE, "random_state": random_state}
    split = train_test_split(np.arange(len(part.y)), stratify=part.y, **options)
    train, valid = map(part.rows, split)
    class_ratio(valid)  # both classes have weight
    weight, found = valid.weight, []
    for point in points_of(grid, estimator):
        candidate = at_point(estimator, point)
        fitted = fit(method, candidate, *train, *valid, random_state, stop_on=stop_on)
        log_odds = fitted.log_odds(valid.X)
        ranking = average_precision_score(valid.y, log_odds, sample_weight=weight)
        corrected = _of_both_classes(log_odds - np.log(fitted.odds_factor))
        loss = log_loss(valid.y, corrected, sample_weight=weight)
        scores: dict[str, Any] = {"average_precision": ranking, "log_loss": loss}
        found.append(Tuned(**vars(fitted), params=point, **scores))
    best = min(found, key=lambda one: (-one.average_precision, one.log_loss))
    return replace(best, seconds=perf_counter() - start)


def points_of(grid: Grid | None, estimator: Any) -> tuple[dict[str, Any], ...]:
    """The points of a grid; None is the default grid, and one point is a grid."""
    if grid is None:
        return default_grid(estimator)
    if not isinstance(grid, Mapping):
        points = tuple(map(dict, grid))
        if not points:
            advice = "Use grid=[{}] to keep the parameters of the estimator."
            reject("grid", "a point or more", grid, advice)
        return points
    if any(isinstance(v, list) and "const" not in k for k, v in grid.items()):
        rule = "one point, or a sequence of points"
        advice = "Use list(sklearn.model_selection.ParameterGrid(grid))."
        reject("grid", rule, dict(grid), advice)
    return (dict(grid),)


def parameters_set(estimator: Any) -> dict[str, Any]:
    """The parameters that are not the defaults of the class, by the names of a grid."""
    estimator = last_step(estimator)
    default = type(estimator)().get_params(deep=False)
    known = _OTHER_NAMES[host_of(estimator)]
    return {
        known.get(name, name): value
        for name, value in estimator.get_params(deep=False).items()
        if name not in default or repr(default[name]) != repr(value)
    }


def last_step(estimator: Any) -> Any:
    """The last step of a pipeline, or the estimator itself."""
    return estimator[-1] if isinstance(estimator, Pipeline) else estimator


def at_point(estimator: Any, point: Mapping[str, Any]) -> Any:
    """A copy with the parameters of a grid point.

    In a pipeline, names without ``__`` are those of the last step.
    """
    copy = clone(estimator)
    if isinstance(copy, Pipeline):
        last = copy.steps[-1][0]
        point = {k if "__" in k else f"{last}__{k}": v for k, v in point.items()}
    return copy.set_params(**point)


def require_comparable(estimator: Any) -> None:
    """Check that an estimator does not set what the methods set."""
    if not isinstance(last_step(estimator), FocalClassifierMixin):
        rule = "a FocalXGBClassifier or a FocalLGBMClassifier, or a Pipeline of one"
        reject("estimator", rule, estimator, "Use estimator=FocalLGBMClassifier().")
    steps = estimator.steps[:-1] if isinstance(estimator, Pipeline) else []
    for name, step in steps:
        if hasattr(step, "fit_resample"):
            advice = 'Leave it out, and put "SMOTE" into losses.'
            reject(f"step {name!r}", "a transformer", step, advice)
    given = parameters_set(estimator)
    for name, advice in _DECIDED.items():
        if name in given:
            rule = "left out" if name == "focal_gamma" else "None"
            reject(name, rule, given[name], advice)


def _model(method: Method, estimator: Any, X: Any) -> Any:
    """An untrained model of the method with the parameters of the estimator."""
    params, host = estimator.get_params(deep=False), host_of(estimator)
    if host == "lightgbm" and not {"verbose", "verbosity"} & set(params):
        params["verbosity"] = -1
    if host == "xgboost" and "category" in map(str, getattr(X, "dtypes", ())):
        params["enable_categorical"] = True  # the default from XGBoost 3.1 on
    if method.is_focal:
        own = {"focal_gamma": method.gamma, "focal_alpha": method.alpha}
        return type(estimator)(**{**params, **own})
    name = {"xgboost": "XGBClassifier", "lightgbm": "LGBMClassifier"}[host]
    return getattr(import_host(host), name)(**without_own(params))


def _trained(model: Any, train: Part, valid: Part, stop_on: str) -> int:
    """Train with early stopping, and return the number of rounds."""
    weights = None if valid.weight is None else [valid.weight]
    by_ranking = stop_on == "average_precision"
    is_xgboost = host_of(model) == "xgboost"
    if is_xgboost:
        metric = None if hasattr(model, "focal_gamma") else "logloss"
        metric = "aucpr" if by_ranking else metric
        model.set_params(early_stopping_rounds=PATIENCE, eval_metric=metric)
        options = {"sample_weight_eval_set": weights, "verbose": False}
    else:
        if by_ranking:
            model.set_params(metric="average_precision")
        stop = import_host("lightgbm").early_stopping(PATIENCE, verbose=False)
        options = {"eval_sample_weight": weights, "callbacks": [stop]}
    with warnings.catch_warnings():
        # LightGBM before 4.7 has no eval_X and eval_y.
        warnings.filterwarnings("ignore", "The argument 'eval_set' is deprecated")
        model.fit(
            train.X,
            train.y,
            sample_weight=train.weight,
            eval_set=[(valid.X, valid.y)],
            **options,
        )
    return int(model.best_iteration + 1 if is_xgboost else model.best_iteration_)
