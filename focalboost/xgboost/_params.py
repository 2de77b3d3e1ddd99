"""What XGBoost is asked for: parameters, objective and metric, conflicts refused."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from scipy.special import expit

from focalboost._host import as_list, import_host, learning_rate_bound, refuse
from focalboost._validation import reject
from focalboost.losses import FocalLoss
from focalboost.objectives import Curvature, FocalMetric, FocalObjective

if TYPE_CHECKING:
    import xgboost

__all__ = ["Plan", "booster_of", "make_plan"]

#: XGBoost holds a probability given as base_score at this distance from 0 and 1.
SMALLEST_BASE_SCORE = 1e-6

#: What makes a model trained with obj= predict expit(raw) by itself, and keeps the
#: log loss of focal scores from being reported.
FIXED_PARAMS = {"objective": "binary:logistic", "disable_default_eval_metric": 1}

#: Metrics that depend on the order of the predictions only, by their name before "@".
RANKING_METRICS = ("auc", "aucpr", "pre", "map", "ndcg")

LEARNING_RATE = ("learning_rate", "eta")
DEFAULT_LEARNING_RATE = 0.3


class Plan(NamedTuple):
    """What to train with."""

    params: dict[str, Any]
    objective: FocalObjective
    metric: FocalMetric | None  #: None where the user has named another


def make_plan(
    params: Mapping[str, Any],
    loss: FocalLoss,
    target: tuple[Any, Any],
    xgb_model: "xgboost.Booster | None",
    curvature: Curvature = "certified",
    max_learning_rate: float | None = None,
) -> Plan:
    """Return the plan for labels and weights (target), or reject a parameter."""
    given = {name: value for name, value in params.items() if value is not None}
    _refuse_conflicts(given, loss)
    rates = [given[name] for name in LEARNING_RATE if name in given]
    bound = learning_rate_bound(rates or [DEFAULT_LEARNING_RATE], max_learning_rate)
    if xgb_model is not None:
        _refuse_rebasing(given, xgb_model)
    elif "base_score" not in given:
        given["base_score"] = _base_score(loss, *target)
    objective = FocalObjective(loss, curvature, bound, checks_start=False)
    metric = None if as_list(given.get("eval_metric")) else FocalMetric(loss)
    return Plan({**given, **FIXED_PARAMS}, objective, metric)


def _refuse_conflicts(params: Mapping[str, Any], loss: FocalLoss) -> None:
    """Reject parameters that contradict the focal loss."""
    refuse(
        params,
        ["objective"],
        ("binary:logistic",),
        "Leave it out: the objective is the focal loss, and the saved model's is "
        "binary:logistic.",
    )
    refuse(
        params,
        ["scale_pos_weight"],
        (1,),
        "Use the weights of the DMatrix or sample_weight, class_weight, or alpha.",
    )
    refuse(params, ["num_class"], (0, 1), "This loss has two classes: leave it out.")
    if loss != FocalLoss(gamma=0):
        _refuse_probability_metrics(params.get("eval_metric"))


def _refuse_probability_metrics(eval_metric: Any) -> None:
    """Reject metrics that would take the focal score for a probability."""
    for metric in as_list(eval_metric):
        if isinstance(metric, str) and metric.split("@")[0] not in RANKING_METRICS:
            reject(
                "eval_metric",
                "a metric of the ranking, such as 'auc' or 'aucpr'",
                metric,
                "XGBoost would evaluate it on the focal score, which is not a "
                "probability. Leave it out for the relative focal loss, or pass a "
                "callable.",
            )


def _base_score(loss: FocalLoss, y_true: Any, sample_weight: Any) -> float:
    """The baseline as the probability that XGBoost wants, within what it accepts."""
    score = float(expit(loss.baseline(y_true, sample_weight)))
    return min(max(score, SMALLEST_BASE_SCORE), 1 - SMALLEST_BASE_SCORE)


def _refuse_rebasing(params: Mapping[str, Any], model: "xgboost.Booster") -> None:
    """Reject a continuation in which the first trees would lose their meaning."""
    refuse(
        params,
        ["base_score"],
        (),
        "The model to continue has its own; another would move its trees.",
    )
    objective = json.loads(model.save_config())["learner"]["objective"]["name"]
    if objective != "binary:logistic":
        reject(
            "xgb_model",
            "a model with objective 'binary:logistic'",
            objective,
            "Continue a model of focalboost, or of XGBoost's own log loss.",
        )


def booster_of(xgb_model: Any) -> "xgboost.Booster":
    """The booster of an estimator, of a file or its bytes, or the booster itself.

    An early-stopped model ends at its best round, as if trained no further: XGBoost
    would keep the rounds after it, and later predict without those that follow.
    """
    library = import_host("xgboost")
    if isinstance(xgb_model, library.XGBModel):
        xgb_model = xgb_model.get_booster()
    if isinstance(xgb_model, bytes):
        xgb_model = bytearray(xgb_model)
    if not isinstance(xgb_model, library.Booster):
        xgb_model = library.Booster(model_file=xgb_model)
    booster: xgboost.Booster = xgb_model
    best = booster.attr("best_iteration")
    if best is not None:
        booster = booster[: int(best) + 1]
        booster.set_attr(best_iteration=None, best_score=None)
    return booster
