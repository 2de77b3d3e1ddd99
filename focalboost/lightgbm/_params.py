"""What LightGBM is asked for: parameters, objective and metric, conflicts refused."""

import itertools
from collections.abc import Mapping
from typing import Any, NamedTuple

from focalboost._host import as_list, learning_rate_bound, one_value, refuse
from focalboost._validation import reject
from focalboost.losses import FocalLoss
from focalboost.objectives import Curvature, FocalMetric, FocalObjective

__all__ = ["Plan", "make_plan"]

#: LightGBM's names of the parameters that are read here.
OBJECTIVE = ("objective", "objective_type", "app", "application", "loss")
METRIC = ("metric", "metrics", "metric_types")
LEARNING_RATE = ("learning_rate", "shrinkage_rate", "eta")
DEFAULT_LEARNING_RATE = 0.1

#: Metrics that depend on the order of the predictions only, and the words for none.
RANKING_METRICS = {
    *("auc", "average_precision", "ndcg", "lambdarank", "rank_xendcg"),
    *("map", "mean_average_precision", "None", "none", "null", "custom", "na", ""),
}

_PLAIN_WEIGHTS = (
    "Use the weights of the Dataset or sample_weight, class_weight or alpha."
)

#: Parameters, by all their names, that contradict the focal loss unless they have one
#: of the values, and what to do instead.
_CONFLICTS: tuple[tuple[tuple[str, ...], tuple[object, ...], str], ...] = (
    (OBJECTIVE, ("binary",), "Leave it out: the objective is the focal loss."),
    (
        ("is_unbalance", "unbalance", "unbalanced_sets"),
        (False,),
        _PLAIN_WEIGHTS,
    ),
    (("scale_pos_weight",), (1,), _PLAIN_WEIGHTS),
    (("num_class", "num_classes"), (1,), "This loss has two classes: leave it out."),
    (("sigmoid",), (1,), "Leave it out: the link is expit(raw prediction)."),
    (
        ("boost_from_average",),
        (True,),
        "Leave it out, or give the Dataset an init_score to start elsewhere.",
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


def make_plan(
    params: Mapping[str, Any],
    loss: FocalLoss,
    metrics: Any,
    curvature: Curvature = "certified",
    max_learning_rate: float | None = None,
) -> Plan:
    """Return the plan for a user's metrics, or reject a parameter."""
    given = {name: value for name, value in params.items() if value is not None}
    for names, allowed, advice in _CONFLICTS:
        refuse(given, names, allowed, advice)
    named = one_value(given, METRIC)
    _refuse_probability_metrics([*as_list(named), *as_list(metrics)])
    rates = [given[name] for name in LEARNING_RATE if name in given]
    bound = learning_rate_bound(rates or [DEFAULT_LEARNING_RATE], max_learning_rate)
    settings = {name: given[name] for name in given if name not in OBJECTIVE}
    settings["objective"] = FocalObjective(loss, curvature, bound, checks_start=False)
    if named is not None:
        return Plan(settings, None)
    metric = None if as_list(metrics) else FocalMetric(loss)
    return Plan({**settings, "metric": "None"}, metric)


def _refuse_probability_metrics(metrics: list[Any]) -> None:
    """Reject metrics that would take raw predictions for probabilities."""
    words = (m.split(",") if isinstance(m, str) else [m] for m in metrics)
    for metric in itertools.chain.from_iterable(words):
        if isinstance(metric, str) and metric.strip() not in RANKING_METRICS:
            reject(
                "metric",
                "a metric of the ranking, such as 'auc' or 'average_precision'",
                metric,
                "LightGBM would evaluate it on raw predictions as if they were "
                "probabilities. Leave it out for the relative focal loss, or pass a "
                "callable.",
            )
