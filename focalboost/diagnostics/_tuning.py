"""The same small search for every method: a stated grid, and one inner holdout."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.metrics import average_precision_score, log_loss
from sklearn.model_selection import train_test_split

from focalboost.diagnostics._estimator import host_of, parameters_set
from focalboost.diagnostics._fitting import Fitted, fit
from focalboost.diagnostics._methods import Method
from focalboost.diagnostics._rebalance import Part

__all__ = ["Tuned", "default_grid", "points_of", "tuned"]

#: The share of the rows that rounds and grid point are chosen on.
VALIDATION_SHARE = 0.25

#: For all points; early stopping finds the rounds.
ROUNDS = {"n_estimators": 300, "learning_rate": 0.1}

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


@dataclass(frozen=True, eq=False)
class Tuned:
    """The best of a method's fits, one for each grid point.

    Attributes
    ----------
    fitted : Fitted
        The best fit.
    params : Mapping
        Its grid point.
    average_precision, log_loss : float
        On the inner validation rows, the log loss of the corrected probabilities.
    seconds : float
        Wall time of the whole search.
    """

    fitted: Fitted
    params: Mapping[str, Any]
    average_precision: float
    log_loss: float
    seconds: float

    @property
    def n_rounds(self) -> int:
        """The rounds that predictions use."""
        return self.fitted.n_rounds

    def log_odds(self, X: Any) -> NDArray[np.float64]:
        """Return the logit of the positive class's probability."""
        return self.fitted.log_odds(X)

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the probabilities of both classes as the method gives them."""
        return self.fitted.predict_proba(X)

    def corrected_proba(self, X: Any) -> NDArray[np.float64]:
        """Return them without what weights and resampling do to the odds."""
        return self.fitted.corrected_proba(X)


def default_grid(estimator: Any) -> tuple[dict[str, Any], ...]:
    """The host's defaults, and smaller, regularised trees; 300 rounds of 0.1 at most.

    What is set on the estimator, and is not its class's default, stays as it is in all
    points: ``n_estimators`` is then the most rounds. LightGBM's defaults put no penalty
    on leaves, and its log loss may diverge there.

    Examples
    --------
    >>> from focalboost import FocalXGBClassifier
    >>> from focalboost.diagnostics import default_grid
    >>> [point["max_depth"] for point in default_grid(FocalXGBClassifier())]
    [6, 4]
    >>> default_grid(FocalXGBClassifier(max_depth=3, n_estimators=50))[1]
    {'learning_rate': 0.1, 'reg_lambda': 5, 'min_child_weight': 1}
    """
    fixed = parameters_set(estimator)
    points: list[dict[str, Any]] = []
    for whole in ({**ROUNDS, **point} for point in _GRIDS[host_of(estimator)]):
        point = {name: whole[name] for name in whole if name not in fixed}
        if point not in points:
            points.append(point)
    return tuple(points)


def points_of(
    grid: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None, estimator: Any
) -> tuple[dict[str, Any], ...]:
    """The points of a grid, which may be a single one, or None for the default."""
    if grid is None:
        return default_grid(estimator)
    return tuple(map(dict, [grid] if isinstance(grid, Mapping) else grid))


def tuned(
    method: Method,
    estimator: Any,
    grid: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None,
    X: Any,
    y: Any,
    sample_weight: Any,
    random_state: int,
    *,
    stop_on: str = "loss",
) -> Tuned:
    """Train a method at every grid point, and return the best.

    A quarter of the rows, stratified, ends each training early and judges it, by
    average precision, ties by the log loss of the corrected probabilities; the best is
    not trained anew. A grid point replaces what is set on the estimator, as in
    scikit-learn's searches. All methods of one ``random_state`` see the same holdout.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from focalboost import FocalXGBClassifier
    >>> from focalboost.diagnostics import LOG_LOSS, tuned
    >>> X, y = make_classification(1000, weights=[0.95], random_state=0)
    >>> grid = [{"max_depth": 2}, {"max_depth": 4}]
    >>> best = tuned(LOG_LOSS, FocalXGBClassifier(n_jobs=1), grid, X, y, None, 0)
    >>> best.params in grid
    True
    """
    start = perf_counter()
    y = np.asarray(y, np.int8)
    weight = None if sample_weight is None else np.asarray(sample_weight, np.float64)
    train, valid = _holdout(Part(X, y, weight), random_state)

    def at(point: Mapping[str, Any]) -> Tuned:
        candidate = clone(estimator).set_params(**point)
        fitted = fit(method, candidate, *train, *valid, random_state, stop_on=stop_on)
        return Tuned(fitted, point, *_judged(fitted, valid), fitted.seconds)

    found = [at(point) for point in points_of(grid, estimator)]
    best = min(found, key=lambda one: (-one.average_precision, one.log_loss))
    seconds = perf_counter() - start
    return Tuned(
        best.fitted, best.params, best.average_precision, best.log_loss, seconds
    )


def _holdout(part: Part, random_state: int) -> tuple[Part, Part]:
    rows = np.arange(len(part.y))
    train, valid = train_test_split(
        rows, test_size=VALIDATION_SHARE, stratify=part.y, random_state=random_state
    )
    return part.rows(train), part.rows(valid)


def _judged(fitted: Fitted, valid: Part) -> tuple[float, float]:
    """Average precision and log loss on the validation rows."""
    log_odds = fitted.log_odds(valid.X)
    probability = fitted.corrected_proba(valid.X)
    return (
        float(average_precision_score(valid.y, log_odds, sample_weight=valid.weight)),
        float(log_loss(valid.y, probability, sample_weight=valid.weight)),
    )
