"""One method, trained with early stopping on the host of an estimator."""

import warnings
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from focalboost._host import import_host
from focalboost._validation import one_of
from focalboost.diagnostics._estimator import host_of, require_comparable
from focalboost.diagnostics._methods import Method
from focalboost.diagnostics._rebalance import Part, rebalanced, weighted
from focalboost.estimators._base import without_own

__all__ = ["STOP_ON", "Fitted", "fit"]

#: Rounds without an improvement after which training ends.
PATIENCE = 30

#: What early stopping may watch.
STOP_ON = ("loss", "average_precision")

#: What the hosts call the average precision.
RANKING_METRIC = {"xgboost": "aucpr", "lightgbm": "average_precision"}


@dataclass(frozen=True, eq=False)
class Fitted:
    """A trained method, with the probabilities that it would serve to a user.

    Attributes
    ----------
    method : Method
        What was trained.
    model : object
        The estimator, or the host's own classifier for the host's own log loss.
    n_rounds : int
        The rounds that predictions use.
    odds_factor : float
        By what weights and resampling multiply the odds of a positive.
    seconds : float
        Wall time of weights, resampling and training.
    """

    method: Method
    model: Any
    n_rounds: int
    odds_factor: float
    seconds: float

    def log_odds(self, X: Any) -> NDArray[np.float64]:
        """Return the logit of what ``predict_proba`` gives to the positive class.

        It ranks rows that float32 probabilities would tie at 1.
        """
        if self.method.is_focal:
            return np.asarray(self.model.decision_function(X), dtype=np.float64)
        option = {"xgboost": "output_margin", "lightgbm": "raw_score"}
        raw = self.model.predict(X, **{option[host_of(self.model)]: True})
        return np.asarray(raw, dtype=np.float64)

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the probabilities of both classes as the method gives them, (n, 2).

        For the focal loss they are the class-posterior; weights and resampling shift
        them on purpose.
        """
        return _both(self.log_odds(X))

    def corrected_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the probabilities without what weights and resampling do to the odds.

        The odds are divided by ``odds_factor`` (Elkan 2001).
        """
        return _both(self.log_odds(X) - np.log(self.odds_factor))


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

    ``estimator`` is a FocalXGBClassifier or FocalLGBMClassifier that is not changed;
    its host's parameters are those of every method, which brings gamma, alpha and
    weights. The host's own log loss is trained by the host's own classifier. Labels
    are 0 and 1. ``stop_on`` is "loss", the loss that is trained with the method's
    weights, or "average_precision".

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from focalboost import FocalXGBClassifier
    >>> from focalboost.diagnostics import Method, fit
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
    given = Part(X, np.asarray(y, np.int8), _weights(sample_weight))
    train, factor = rebalanced(method, given, random_state)
    unshifted = Part(X_valid, np.asarray(y_valid, np.int8))
    unshifted = unshifted._replace(weight=_weights(sample_weight_valid))
    valid = weighted(unshifted, factor)
    host = host_of(estimator)
    model = _model(method, host, estimator).set_params(random_state=random_state)
    metric = RANKING_METRIC[host] if stop_on == "average_precision" else None
    stopped_early = {"xgboost": _fit_xgboost, "lightgbm": _fit_lightgbm}[host]
    n_rounds = stopped_early(model, train, valid, metric)
    return Fitted(method, model, n_rounds, factor, perf_counter() - start)


def _weights(sample_weight: Any) -> NDArray[np.float64] | None:
    return None if sample_weight is None else np.asarray(sample_weight, np.float64)


def _model(method: Method, host: str, estimator: Any) -> Any:
    """An untrained model of the method with the parameters of the estimator."""
    params = estimator.get_params(deep=False)
    if host == "lightgbm" and not {"verbose", "verbosity"} & set(params):
        params["verbosity"] = -1
    if method.is_focal:
        own = {"focal_gamma": method.gamma, "focal_alpha": method.alpha}
        return type(estimator)(**{**params, **own})
    name = {"xgboost": "XGBClassifier", "lightgbm": "LGBMClassifier"}[host]
    return getattr(import_host(host), name)(**without_own(params))


def _fit_xgboost(model: Any, train: Part, valid: Part, metric: str | None) -> int:
    is_focal = hasattr(model, "focal_gamma")
    model.set_params(
        early_stopping_rounds=PATIENCE,
        eval_metric=metric or (None if is_focal else "logloss"),
    )
    model.fit(
        train.X,
        train.y,
        sample_weight=train.weight,
        eval_set=[(valid.X, valid.y)],
        sample_weight_eval_set=None if valid.weight is None else [valid.weight],
        verbose=False,
    )
    return int(model.best_iteration) + 1


def _fit_lightgbm(model: Any, train: Part, valid: Part, metric: str | None) -> int:
    if metric is not None:
        model.set_params(metric=metric)
    stop = import_host("lightgbm").early_stopping(PATIENCE, verbose=False)
    with warnings.catch_warnings():
        # Its successors, eval_X and eval_y, are not there before LightGBM 4.7.
        warnings.filterwarnings("ignore", "The argument 'eval_set' is deprecated")
        model.fit(
            train.X,
            train.y,
            sample_weight=train.weight,
            eval_set=[(valid.X, valid.y)],
            eval_sample_weight=None if valid.weight is None else [valid.weight],
            callbacks=[stop],
        )
    return int(model.best_iteration_)


def _both(log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.column_stack([expit(-log_odds), expit(log_odds)])
