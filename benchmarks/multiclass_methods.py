"""The methods that the multiclass benchmark compares, each on both hosts."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import lightgbm
import numpy as np
from lightgbm import LGBMClassifier
from multiclass_data import Part, Problem
from sklearn.metrics import log_loss
from sklearn.multiclass import OneVsRestClassifier
from sklearn.utils.class_weight import compute_class_weight
from xgboost import XGBClassifier

from focalboost import FocalLGBMClassifier, FocalXGBClassifier

HOSTS = ("xgboost", "lightgbm")
#: For both hosts and all methods, where LightGBM's defaults, with no penalty on leaves,
#: let its log loss diverge on rare classes. The rest is each host's default.
TREES = {
    "max_depth": 4,
    "learning_rate": 0.1,
    "reg_lambda": 1,
    "min_child_weight": 1,
    "n_jobs": 1,
}
PATIENCE = 20
#: One-vs-rest takes the best of the multiples of it.
STEP = 10


@dataclass(frozen=True, eq=False)
class Fit:
    """Probabilities for the test part, (n, K), and how many rounds gave them."""

    posterior: Any
    n_rounds: int


def host_log_loss(host: str, p: Problem, max_rounds: int, balanced: bool) -> Fit:
    classifier = {"xgboost": XGBClassifier, "lightgbm": LGBMClassifier}[host]
    weights = None
    if balanced:
        classes = np.arange(p.n_classes)
        weights = compute_class_weight("balanced", classes=classes, y=p.train.y)
    return stopped_early(host, classifier, p, max_rounds, weights)


def softmax_focal(host: str, p: Problem, max_rounds: int, **own: Any) -> Fit:
    return stopped_early(host, partial(FOCAL[host], **own), p, max_rounds)


def stopped_early(
    host: str,
    classifier: Callable[..., Any],
    p: Problem,
    max_rounds: int,
    class_weights: Any = None,
) -> Fit:
    """Train until the method's own loss, weighted as in training, stops to fall."""
    given: dict[str, Any] = {"eval_set": [(p.validation.X, p.validation.y)]}
    if class_weights is not None:
        given["sample_weight"] = class_weights[p.train.y]
        name = {"xgboost": "sample_weight_eval_set", "lightgbm": "eval_sample_weight"}
        given[name[host]] = [class_weights[p.validation.y]]
    if host == "xgboost":
        model = classifier(
            n_estimators=max_rounds, early_stopping_rounds=PATIENCE, **TREES
        ).fit(p.train.X, p.train.y, verbose=False, **given)
        n_rounds = model.best_iteration + 1
    else:
        stop = [lightgbm.early_stopping(PATIENCE, verbose=False)]
        trees = {**TREES, "num_leaves": 2 ** TREES["max_depth"], "verbose": -1}
        model = classifier(n_estimators=max_rounds, **trees)
        model.fit(p.train.X, p.train.y, callbacks=stop, **given)
        n_rounds = model.best_iteration_
    return Fit(model.predict_proba(p.test.X), n_rounds)


def one_vs_rest_focal(host: str, p: Problem, max_rounds: int, gamma: float) -> Fit:
    """All classes get the number of rounds with the best log loss in validation.

    scikit-learn's OneVsRestClassifier passes no evaluation set on, so each class is
    trained for all rounds, and the first of them are judged afterwards.
    """
    trees = dict(TREES)
    if host == "lightgbm":
        trees |= {"num_leaves": 2 ** TREES["max_depth"], "verbose": -1}
    single = FOCAL[host](focal_gamma=gamma, n_estimators=max_rounds, **trees)
    model = OneVsRestClassifier(single).fit(p.train.X, p.train.y)

    def validation_loss(n_rounds: int) -> float:
        posterior = _first_rounds(host, model, p.validation, n_rounds)
        return float(log_loss(p.validation.y, posterior, labels=model.classes_))

    best = min(range(STEP, max_rounds + 1, STEP), key=validation_loss)
    return Fit(_first_rounds(host, model, p.test, best), best)


def _first_rounds(host: str, model: Any, part: Part, n_rounds: int) -> Any:
    """Probabilities of the first rounds, brought to sum 1 as scikit-learn does."""
    first = {
        "xgboost": {"iteration_range": (0, n_rounds)},
        "lightgbm": {"num_iteration": n_rounds},
    }[host]
    columns = [
        single.predict_proba(part.X, **first)[:, 1] for single in model.estimators_
    ]
    scores = np.column_stack(columns).astype(np.float64)
    return scores / scores.sum(axis=1, keepdims=True)


FOCAL = {"xgboost": FocalXGBClassifier, "lightgbm": FocalLGBMClassifier}
#: The first is what the others are compared with.
METHODS: dict[str, Callable[[str, Problem, int], Fit]] = {
    "log loss": partial(host_log_loss, balanced=False),
    "log loss, balanced weights": partial(host_log_loss, balanced=True),
    "softmax focal, γ = 0": partial(softmax_focal, focal_gamma=0),
    "softmax focal, γ = 0.5": partial(softmax_focal, focal_gamma=0.5),
    "softmax focal, γ = 1": partial(softmax_focal, focal_gamma=1),
    "softmax focal, γ = 2": partial(softmax_focal, focal_gamma=2),
    "softmax focal, γ = 2, effective weights": partial(
        softmax_focal, focal_gamma=2, class_weight="effective"
    ),
    "one-vs-rest focal, γ = 2": partial(one_vs_rest_focal, gamma=2),
}
