"""LightGBM's parameters: the names read here, and those that contradict the loss."""

from collections.abc import Mapping
from typing import Any

from focalboost._host import as_list, one_value, refuse
from focalboost._validation import reject

__all__ = [
    "LEARNING_RATE",
    "METRIC",
    "OBJECTIVE",
    "refuse_conflicts",
    "refuse_probability_metrics",
]

#: LightGBM's names of the parameters that are read here.
OBJECTIVE = ("objective", "objective_type", "app", "application", "loss")
METRIC = ("metric", "metrics", "metric_types")
LEARNING_RATE = ("learning_rate", "shrinkage_rate", "eta")

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


def refuse_conflicts(params: Mapping[str, Any]) -> None:
    """Reject parameters that contradict the focal loss."""
    for names, allowed, advice in _CONFLICTS:
        refuse(params, names, allowed, advice)
    refuse_probability_metrics(one_value(params, METRIC))


def refuse_probability_metrics(metrics: Any) -> None:
    """Reject metrics that would take raw predictions for probabilities."""
    named = metrics.split(",") if isinstance(metrics, str) else as_list(metrics)
    for metric in named:
        if isinstance(metric, str) and metric.strip() not in RANKING_METRICS:
            reject(
                "metric",
                "a metric of the ranking, such as 'auc' or 'average_precision'",
                metric,
                "LightGBM would evaluate it on raw predictions as if they were "
                "probabilities. Leave it out for the relative focal loss, or pass a "
                "callable.",
            )
