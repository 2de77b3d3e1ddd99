"""Plans a training with LightGBM: its parameters, objective and metric."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from focalboost._hosts._imports import import_host
from focalboost._hosts._params import (
    WEIGHTS_INSTEAD,
    checked_loss,
    learning_rate_bound,
    metrics_in,
    one_value,
    refuse,
    refuse_focal_names,
    thread_setting,
)
from focalboost._validation import reject
from focalboost.losses import FocalLoss, Loss
from focalboost.objectives import Curvature, FocalMetric, FocalObjective

#: All names of the parameters that are read here.
OBJECTIVE = ("objective", "objective_type", "app", "application", "loss")
NUM_CLASS = ("num_class", "num_classes")
METRIC = ("metric", "metrics", "metric_types")
ROUNDS = (  # in LightGBM's order: it takes the first that is given
    *("num_iterations", "n_iter", "nrounds", "max_iter", "num_tree", "num_round"),
    *("num_trees", "num_rounds", "n_estimators", "num_iteration", "num_boost_round"),
)
BOOSTING = ("boosting", "boosting_type", "boost")
LEARNING_RATE = ("learning_rate", "shrinkage_rate", "eta")
DEFAULT_LEARNING_RATE = 0.1
EARLY_STOPPING = (
    *("early_stopping_round", "early_stopping_rounds", "early_stopping"),
    "n_iter_no_change",
)
MACHINES = ("machines", "workers", "nodes")
NUM_MACHINES = ("num_machines", "num_machine")
MIN_CURVATURE = (
    *("min_sum_hessian_in_leaf", "min_child_weight", "min_sum_hessian"),
    *("min_sum_hessian_per_leaf", "min_hessian"),
)

_NO_METRIC = ("None", "none", "null", "custom", "na", "")

#: Metrics that depend only on the order of the predictions, and the words for none.
RANKING_METRICS = {
    *("auc", "auc_mu", "average_precision", "map", "mean_average_precision", "ndcg"),
    *("lambdarank", "rank_xendcg", "xendcg", "xe_ndcg", "xe_ndcg_mart", *_NO_METRIC),
}

_BAGGING_BY_CLASS = (
    *("pos_bagging_fraction", "pos_sub_row", "pos_subsample", "pos_bagging"),
    *("neg_bagging_fraction", "neg_sub_row", "neg_subsample", "neg_bagging"),
)
_BAGGING_INSTEAD = (
    "LightGBM samples by class for its own objective alone. Use bagging_fraction and "
    "bagging_freq for rows of all classes, or drop rows before training and divide the "
    "weights of the others of their class by the share that you keep."
)

#: Parameters that LightGBM reads where the objective or metric is one that cannot be.
_OF_OTHERS = (
    *("fair_c", "poisson_max_delta_step", "tweedie_variance_power", "reg_sqrt"),
    *("lambdarank_truncation_level", "lambdarank_norm", "objective_seed"),
    *("lambdarank_position_bias_regularization", "multi_error_top_k"),
)

#: Parameters that contradict every focal loss: all names, the values allowed, and what
#: to do instead.
_CONFLICTS: tuple[tuple[tuple[str, ...], tuple[object, ...], str], ...] = (
    (
        ("is_unbalance", "unbalance", "unbalanced_sets"),
        (False,),
        "Leave it out: focal loss needs no class weights, and these give probabilities "
        "as if the classes were equally common. If that is what you want, with an "
        'estimator use class_weight="balanced". With train, give the data set the '
        "weights of sklearn.utils.class_weight.compute_sample_weight.",
    ),
    (("scale_pos_weight",), (1,), WEIGHTS_INSTEAD),
    (_BAGGING_BY_CLASS, (1,), _BAGGING_INSTEAD),
    (
        ("bagging_by_query",),
        (False,),
        "LightGBM draws no rows at all by query with a custom objective. Use "
        "bagging_fraction and bagging_freq, which draw row by row.",
    ),
    (_OF_OTHERS, (), "LightGBM reads it for other objectives or metrics alone."),
    (
        ("gamma",),
        (),
        "LightGBM has none. Did you mean focal_gamma, or loss=FocalLoss(gamma=...) of "
        "train?",
    ),
    (
        ("alpha",),
        (),
        "LightGBM's belongs to other objectives. Did you mean focal_alpha, or "
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
        BOOSTING,
        ("gbdt", "gbrt", "dart", "goss"),
        "LightGBM's random forests take no custom objective: use 'gbdt'.",
    ),
)


class Plan(NamedTuple):
    """What to train with."""

    params: dict[str, Any]
    objective: FocalObjective  #: the one in the parameters
    metric: FocalMetric | None  #: None where the user has named another


def rounds_apart(
    params: Mapping[str, Any], num_boost_round: int
) -> tuple[dict[str, Any], int]:
    """The parameters without their number of rounds, which LightGBM prefers."""
    others = {name: params[name] for name in params if name not in ROUNDS}
    return others, one_value(params, ROUNDS, num_boost_round)


def n_machines(params: Mapping[str, Any]) -> int:
    """The number of machines that train together; LightGBM counts a list of them."""
    machines = one_value(params, MACHINES, ())
    listed = machines.split(",") if isinstance(machines, str) else machines
    return int(one_value(params, NUM_MACHINES, len(listed)))


def stops_early(params: Mapping[str, Any], callbacks: Any) -> bool:
    """Whether training may end before its last round."""
    kind = type(import_host("lightgbm").early_stopping(1))
    by_callback = any(isinstance(one, kind) for one in callbacks or ())
    return by_callback or bool(one_value(params, EARLY_STOPPING))


def make_plan(
    params: Mapping[str, Any],
    loss: Loss | None,
    metrics: Any,
    curvature: Curvature = "certified",
    max_learning_rate: float | None = None,
) -> Plan:
    """The plan for a user's loss and metrics; parameters in conflict are errors."""
    n_classes, objective = one_value(params, NUM_CLASS), one_value(params, OBJECTIVE)
    loss = checked_loss(loss, n_classes, objective)
    refuse_focal_names(params)
    given = {name: value for name, value in params.items() if value is not None}
    if isinstance(loss, FocalLoss):  # LightGBM's own objective with the same link
        own: dict[str, Any] = {"objective": "binary"}
    else:
        own = {"objective": "multiclass", "num_class": loss.n_classes}
    _refuse_conflicts(given, own)
    named, others = metrics_in(one_value(given, METRIC)), metrics_in(metrics)
    _refuse_probability_metrics([*named, *others])
    bound = learning_rate_bound(
        given, LEARNING_RATE, DEFAULT_LEARNING_RATE, max_learning_rate
    )
    replaced = (*OBJECTIVE, *NUM_CLASS)
    settings = {name: given[name] for name in given if name not in replaced} | own
    focal = FocalObjective(
        loss, curvature, bound, checks_start=False, n_threads=thread_setting(given)
    )
    settings["objective"] = focal
    if any(name != "" for name in named):
        return Plan(settings, focal, None)
    # Besides the parameter, LightGBM ignores the words for no metric.
    is_own = all(isinstance(one, str) and one in _NO_METRIC for one in others)
    metric = FocalMetric(loss) if is_own else None
    return Plan({**settings, "metric": "None"}, focal, metric)


def _refuse_conflicts(params: Mapping[str, Any], own: dict[str, Any]) -> None:
    """Reject parameters that contradict the focal loss."""
    words = (own["objective"], "softmax") if "num_class" in own else ("binary",)
    advice = "Leave it out. The objective is the focal loss, of num_class classes."
    refuse(params, OBJECTIVE, words, advice)
    advice = (
        "Leave it out: an estimator counts the labels. To train, pass "
        "loss=SoftmaxFocalLoss({value})."
    )
    refuse(params, NUM_CLASS, (own.get("num_class", 1),), advice)
    for names, allowed, advice in _CONFLICTS:
        refuse(params, names, allowed, advice)


def _refuse_probability_metrics(metrics: list[Any]) -> None:
    """Reject metrics that would take raw predictions for probabilities."""
    texts = ",".join(metric for metric in metrics if isinstance(metric, str))
    for name in map(str.strip, texts.split(",")):
        if name not in RANKING_METRICS:
            reject(
                "metric",
                "a metric of the ranking, such as 'auc' or 'average_precision'",
                name,
                "LightGBM would evaluate it on raw predictions as if they were "
                "probabilities. Leave it out for the relative focal loss, or pass a "
                "callable that returns (name, value, is_higher_better).",
            )
