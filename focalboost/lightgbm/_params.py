"""What LightGBM is asked for: parameters, objective and metric, conflicts refused."""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from focalboost._host import (
    WEIGHTS_INSTEAD,
    as_list,
    learning_rate_bound,
    one_value,
    refuse,
    refuse_focal_names,
    thread_setting,
)
from focalboost._validation import reject
from focalboost.losses import FocalLoss, Loss
from focalboost.objectives import Curvature, FocalMetric, FocalObjective

__all__ = [
    "EARLY_STOPPING",
    "LEARNING_RATE",
    "METRIC",
    "MIN_CURVATURE",
    "NUM_CLASS",
    "ROUNDS",
    "Plan",
    "make_plan",
    "rounds_apart",
]

#: LightGBM's names of the parameters that are read here.
OBJECTIVE = ("objective", "objective_type", "app", "application", "loss")
NUM_CLASS = ("num_class", "num_classes")
METRIC = ("metric", "metrics", "metric_types")
ROUNDS = (  # in LightGBM's order: of several the first counts
    *("num_iterations", "n_iter", "nrounds", "max_iter", "num_tree", "num_round"),
    *("num_trees", "num_rounds", "n_estimators", "num_iteration", "num_boost_round"),
)
LEARNING_RATE = ("learning_rate", "shrinkage_rate", "eta")
DEFAULT_LEARNING_RATE = 0.1
EARLY_STOPPING = (
    *("early_stopping_round", "early_stopping_rounds", "early_stopping"),
    "n_iter_no_change",
)
MIN_CURVATURE = (
    *("min_sum_hessian_in_leaf", "min_child_weight", "min_sum_hessian"),
    *("min_sum_hessian_per_leaf", "min_hessian"),
)
THREADS = ("num_threads", "num_thread", "nthread", "nthreads", "n_jobs")

#: Metrics that depend on the order of the predictions only, and the words for none.
RANKING_METRICS = {
    *("auc", "auc_mu", "average_precision", "ndcg", "lambdarank", "rank_xendcg"),
    *("map", "mean_average_precision", "None", "none", "null", "custom", "na", ""),
}

#: Its other metrics, by all their names, for the wording of an error.
OTHER_METRICS = {
    *("l1", "mean_absolute_error", "mae", "regression_l1", "l2", "mean_squared_error"),
    *("mse", "regression_l2", "regression", "rmse", "root_mean_squared_error"),
    *("l2_root", "quantile", "mape", "mean_absolute_percentage_error", "huber", "fair"),
    *("poisson", "gamma", "gamma_deviance", "tweedie", "r2", "binary_logloss"),
    *("binary", "binary_error", "multi_logloss", "multiclass", "softmax"),
    *("multiclassova", "multiclass_ova", "ova", "ovr", "multi_error", "cross_entropy"),
    *("xentropy", "cross_entropy_lambda", "xentlambda", "kullback_leibler", "kldiv"),
}

#: All names of a parameter, the values allowed, and what to do instead.
_Conflict = tuple[tuple[str, ...], tuple[object, ...], str]

#: Other parameters that contradict the focal loss.
_CONFLICTS: tuple[_Conflict, ...] = (
    (("is_unbalance", "unbalance", "unbalanced_sets"), (False,), WEIGHTS_INSTEAD),
    (("scale_pos_weight",), (1,), WEIGHTS_INSTEAD),
    (
        ("gamma",),
        (),
        "LightGBM has none. Did you mean focal_gamma, or loss=FocalLoss(gamma=...) of "
        "train?",
    ),
    (
        ("alpha",),
        (),
        "LightGBM's is of other objectives. Did you mean focal_alpha, or "
        "loss=FocalLoss(alpha=...) of train? reg_alpha is the L1 penalty.",
    ),
    (("sigmoid",), (1,), "Leave it out: the link is expit(raw prediction)."),
    (
        ("boost_from_average",),
        (True,),
        "Leave it out, or give the Dataset an init_score to start elsewhere.",
    ),
    (
        ("base_score",),
        (),
        "LightGBM has none: the start is the baseline, or the init_score of the "
        "Dataset or of fit.",
    ),
    (
        ("boosting", "boosting_type", "boost"),
        ("gbdt", "gbrt", "dart", "goss"),
        "Random forests take no custom objective in LightGBM: use 'gbdt'.",
    ),
)


class Plan(NamedTuple):
    """What to train with."""

    params: dict[str, Any]
    metric: FocalMetric | None  #: None where the user has named another


def rounds_apart(
    params: Mapping[str, Any], num_boost_round: int
) -> tuple[dict[str, Any], int]:
    """The parameters without their number of rounds, which LightGBM prefers."""
    others = {name: params[name] for name in params if name not in ROUNDS}
    return others, one_value(params, ROUNDS, num_boost_round)


def make_plan(
    params: Mapping[str, Any],
    loss: Loss,
    metrics: Any,
    curvature: Curvature = "certified",
    max_learning_rate: float | None = None,
) -> Plan:
    """Return the plan for a user's metrics, or reject a parameter."""
    refuse_focal_names(params)
    given = {name: value for name, value in params.items() if value is not None}
    own = _built_in(loss)
    for names, allowed, advice in (*_conflicts(own), *_CONFLICTS):
        refuse(given, names, allowed, advice)
    named = one_value(given, METRIC)
    _refuse_probability_metrics([*as_list(named), *as_list(metrics)])
    rates = [given[name] for name in LEARNING_RATE if name in given]
    bound = learning_rate_bound(rates or [DEFAULT_LEARNING_RATE], max_learning_rate)
    replaced = (*OBJECTIVE, *NUM_CLASS)
    settings = {name: given[name] for name in given if name not in replaced} | own
    settings["objective"] = FocalObjective(
        loss,
        curvature,
        bound,
        checks_start=False,
        n_threads=thread_setting(given, THREADS),
    )
    if named is not None:
        return Plan(settings, None)
    metric = None if as_list(metrics) else FocalMetric(loss)
    return Plan({**settings, "metric": "None"}, metric)


def _built_in(loss: Loss) -> dict[str, Any]:
    """LightGBM's own objective with the same link."""
    if isinstance(loss, FocalLoss):
        return {"objective": "binary"}
    return {"objective": "multiclass", "num_class": loss.n_classes}


def _conflicts(own: dict[str, Any]) -> Iterator[_Conflict]:
    """The parameters of which the loss allows only its own values."""
    words = (own["objective"], "softmax") if "num_class" in own else ("binary",)
    yield OBJECTIVE, words, "Leave it out: the objective is the focal loss."
    advice = "Leave it out, or pass loss=SoftmaxFocalLoss(num_class)."
    yield NUM_CLASS, (own.get("num_class", 1),), advice


def _refuse_probability_metrics(metrics: list[Any]) -> None:
    """Reject metrics that would take raw predictions for probabilities."""
    words = (m.split(",") if isinstance(m, str) else [m] for m in metrics)
    for metric in itertools.chain.from_iterable(words):
        if isinstance(metric, str) and metric.strip() not in RANKING_METRICS:
            reason = (
                "LightGBM would evaluate it on raw predictions as if they were "
                "probabilities."
                if metric.strip() in OTHER_METRICS
                else "No metric of LightGBM's is known by that name."
            )
            reject(
                "metric",
                "a metric of the ranking, such as 'auc' or 'average_precision'",
                metric,
                f"{reason} Leave it out for the relative focal loss, or pass a "
                "callable that returns (name, value, is_higher_better).",
            )
