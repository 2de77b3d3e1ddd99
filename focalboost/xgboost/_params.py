"""What XGBoost is asked for: parameters, objective and metric, conflicts refused."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from focalboost._host import (
    WEIGHTS_INSTEAD,
    as_list,
    import_host,
    learning_rate_bound,
    refuse,
    refuse_focal_names,
    thread_setting,
)
from focalboost._validation import reject
from focalboost.losses import FocalLoss, Loss
from focalboost.objectives import (
    Curvature,
    FocalMetric,
    FocalObjective,
    has_gpu,
    warn_of_poor_base_score,
)

if TYPE_CHECKING:
    import xgboost

__all__ = ["Plan", "has_base_scores", "make_plan", "require_model_of"]

#: XGBoost holds a probability given as base_score at this distance from 0 and 1.
SMALLEST_BASE_SCORE = 1e-6

#: Metrics that depend on the order of the predictions only, by their name before "@".
RANKING_METRICS = ("auc", "aucpr", "pre", "map", "ndcg")

#: Its other metrics, by their names before "@", for the wording of an error.
OTHER_METRICS = {
    *("rmse", "rmsle", "mae", "mape", "mphe", "logloss", "error", "merror", "mlogloss"),
    *("poisson-nloglik", "gamma-nloglik", "cox-nloglik", "aft-nloglik", "quantile"),
    *("gamma-deviance", "tweedie-nloglik", "interval-regression-accuracy"),
}

LEARNING_RATE = ("learning_rate", "eta")
DEFAULT_LEARNING_RATE = 0.3
THREADS = ("nthread", "n_jobs")


class Plan(NamedTuple):
    """What to train with."""

    params: dict[str, Any]
    objective: FocalObjective
    metric: FocalMetric | None  #: None where the user has named another


def make_plan(
    params: Mapping[str, Any],
    loss: Loss,
    target: tuple[Any, Any],
    xgb_model: "xgboost.Booster | None",
    curvature: Curvature = "certified",
    max_learning_rate: float | None = None,
) -> Plan:
    """Return the plan for labels and weights (target), or reject a parameter."""
    refuse_focal_names(params)
    given = {name: value for name, value in params.items() if value is not None}
    fixed = _fixed_params(loss)
    _refuse_conflicts(given, loss, fixed)
    rates = [given[name] for name in LEARNING_RATE if name in given]
    bound = learning_rate_bound(rates or [DEFAULT_LEARNING_RATE], max_learning_rate)
    if xgb_model is not None:
        _refuse_rebasing(given, xgb_model, loss)
    elif "base_score" not in given:
        given["base_score"] = _base_score(loss, *target)
    else:
        _check_base_score(given["base_score"], loss, target)
    objective = FocalObjective(
        loss,
        curvature,
        bound,
        checks_start=False,
        n_threads=thread_setting(given, THREADS),
        device=_gradient_device(given.get("device")),
    )
    metric = None if as_list(given.get("eval_metric")) else FocalMetric(loss)
    return Plan({**given, **fixed, "disable_default_eval_metric": 1}, objective, metric)


def _gradient_device(device: Any) -> str | None:
    """The GPU of the trees if CuPy can use it; XGBoost takes host arrays as well."""
    is_cuda = isinstance(device, str) and device.startswith("cuda")
    return device if is_cuda and has_gpu(device) else None


def _fixed_params(loss: Loss) -> dict[str, Any]:
    """What makes a model that was trained with obj= predict scores by itself."""
    if isinstance(loss, FocalLoss):
        return {"objective": "binary:logistic"}
    return {"objective": "multi:softprob", "num_class": loss.n_classes}


def _refuse_conflicts(
    params: Mapping[str, Any], loss: Loss, fixed: dict[str, Any]
) -> None:
    """Reject parameters that contradict the focal loss."""
    refuse(
        params,
        ["objective"],
        (fixed["objective"],),
        "Leave it out: the objective is the focal loss, and the saved model's is "
        f"{fixed['objective']}.",
    )
    refuse(params, ["scale_pos_weight"], (1,), WEIGHTS_INSTEAD)
    refuse(
        params,
        ["num_class"],
        (fixed["num_class"],) if "num_class" in fixed else (0, 1),
        "Leave it out, or pass loss=SoftmaxFocalLoss(num_class).",
    )
    if not loss.is_log_loss:
        _refuse_probability_metrics(params.get("eval_metric"))


def _refuse_probability_metrics(eval_metric: Any) -> None:
    """Reject metrics that would take the focal score for a probability."""
    for metric in as_list(eval_metric):
        if not isinstance(metric, str):
            continue
        name = metric.split("@")[0]
        if name not in RANKING_METRICS:
            reason = (
                "XGBoost would evaluate it on the focal score, which is no probability."
                if name in OTHER_METRICS
                else "No metric of XGBoost's is known by that name."
            )
            reject(
                "eval_metric",
                "a metric of the ranking, such as 'auc' or 'aucpr' (average precision)",
                metric,
                f"{reason} Leave it out for the relative focal loss, or pass a "
                "callable, which XGBoost minimises: return 1 - score for a score.",
            )


def _base_score(loss: Loss, y_true: Any, sample_weight: Any) -> float | list[float]:
    """The baseline as XGBoost wants it.

    That is a margin for each class of a softmax, of mean 0 as XGBoost's own (and so
    more exact in float32), and for binary problems a probability that XGBoost accepts.
    """
    score: NDArray[np.float64] = np.asarray(loss.baseline(y_true, sample_weight))
    if isinstance(loss, FocalLoss):
        score = np.clip(expit(score), SMALLEST_BASE_SCORE, 1 - SMALLEST_BASE_SCORE)
    else:
        score -= score.mean()
    if score.ndim > 0:
        _require_base_scores()
    base_score: float | list[float] = score.tolist()
    return base_score


def _check_base_score(base_score: Any, loss: Loss, target: tuple[Any, Any]) -> None:
    """Warn of a given start that is poor; XGBoost words errors about others."""
    try:
        given = json.loads(base_score) if isinstance(base_score, str) else base_score
        score = np.asarray(given, dtype=np.float64)
    except (ValueError, TypeError):
        return
    if isinstance(loss, FocalLoss):
        if not np.all((score >= 0) & (score <= 1)):
            return
        score = logit(np.clip(score, SMALLEST_BASE_SCORE, 1 - SMALLEST_BASE_SCORE))
    warn_of_poor_base_score(loss, score, *target)


def has_base_scores() -> bool:
    """Whether XGBoost has a base_score for each class or label."""
    version: str = import_host("xgboost").__version__
    return tuple(int(part) for part in version.split(".")[:2]) >= (3, 1)


def _require_base_scores() -> None:
    """Reject an XGBoost that has one base_score for all classes or labels."""
    if not has_base_scores():
        reject(
            "xgboost",
            "3.1 or newer for several classes or labels, with a base_score for each",
            import_host("xgboost").__version__,
            "Only binary classification is supported before: upgrade, or wrap the "
            "estimator in OneVsRestClassifier or MultiOutputClassifier of "
            "scikit-learn.",
        )


def _refuse_rebasing(
    params: Mapping[str, Any], model: "xgboost.Booster", loss: Loss
) -> None:
    """Reject a continuation in which the first trees would lose their meaning."""
    refuse(
        params,
        ["base_score"],
        (),
        "The model to continue has its own; another would move its trees.",
    )
    require_model_of(loss, model, "xgb_model")


def require_model_of(loss: Loss, model: "xgboost.Booster", name: str) -> None:
    """Reject a model whose scores are not those of the loss."""
    fixed = _fixed_params(loss)
    learner = json.loads(model.save_config())["learner"]
    found = {"objective": learner["objective"]["name"]}
    if "num_class" in fixed:
        found["num_class"] = int(learner["learner_model_param"]["num_class"])
    if found != fixed:
        reject(
            name,
            f"a model with {fixed}",
            found,
            "Use a model of focalboost, or of XGBoost's own log loss.",
        )
