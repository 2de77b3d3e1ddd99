"""Plans a training with XGBoost: its parameters, objective and metric."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from focalboost._hosts._imports import import_host
from focalboost._hosts._params import (
    WEIGHTS_INSTEAD,
    as_list,
    learning_rate_bound,
    metrics_in,
    name_of,
    refuse,
    refuse_focal_names,
    thread_setting,
)
from focalboost._validation import reject, warn
from focalboost.losses import FocalLoss, Loss, SoftmaxFocalLoss
from focalboost.objectives import (
    Curvature,
    FocalMetric,
    FocalObjective,
    has_gpu,
    warn_of_poor_base_score,
)

if TYPE_CHECKING:
    import xgboost

#: XGBoost keeps a base_score that is a probability this far from 0 and 1.
SMALLEST_BASE_SCORE = 1e-6

#: Metrics that depend only on the order of the predictions; their names before "@".
RANKING_METRICS = ("auc", "aucpr", "pre", "map", "ndcg")

#: XGBoost maximises metrics whose names begin so.
MAXIMISED = ("auc", "pre", "map", "ndcg")

#: XGBoost squares sums of gradients in float32, where 3e38 is the largest number.
LARGEST_TOTAL_WEIGHT = 1e18

#: The focusing parameter of a loss by default, and the smallest that is usual.
DEFAULT_GAMMA, SMALLEST_USUAL_GAMMA = FocalLoss().gamma, 0.5

#: Parameters that XGBoost reads where the objective is another.
_OF_OTHERS = (
    *("aft_loss_distribution", "aft_loss_distribution_scale", "expectile_alpha"),
    *("huber_slope", "lambdarank_bias_norm", "lambdarank_normalization"),
    *("lambdarank_num_pair_per_sample", "lambdarank_pair_method"),
    *("lambdarank_score_normalization", "lambdarank_unbiased", "quantile_alpha"),
    "tweedie_variance_power",
)

#: XGBoost's names of the links: of two classes, and of more.
OBJECTIVES = ("binary:logistic", "multi:softprob")

LEARNING_RATE = ("learning_rate", "eta")
DEFAULT_LEARNING_RATE = 0.3

_Function = TypeVar("_Function", bound=Callable[..., Any])


def by_position(function: _Function) -> _Function:
    """Take options by position as XGBoost's functions do, with its warning."""

    @wraps(function)
    def call(*arguments: Any, **options: Any) -> Any:
        taking = import_host("xgboost").core._deprecate_positional_args
        return taking(function)(*arguments, **options)

    return cast(_Function, call)


class Plan(NamedTuple):
    """What to train with."""

    params: dict[str, Any]
    objective: FocalObjective
    metric: FocalMetric | None  #: None where the user has named another


def make_plan(
    params: Mapping[str, Any],
    loss: Loss,
    target: tuple[Any, Any] | None,
    xgb_model: "xgboost.Booster | None",
    curvature: Curvature = "certified",
    max_learning_rate: float | None = None,
) -> Plan:
    """The plan for labels and weights (target); parameters in conflict are errors.

    Without a target it has no start, as each fold has its own.
    """
    refuse_focal_names(params)
    given = {name: value for name, value in params.items() if value is not None}
    fixed = fixed_params(loss)
    _refuse_conflicts(given, loss, fixed)
    _check_namesakes(given, loss)
    warn_of_score(given.get("eval_metric"), given.get("callbacks"))
    if xgb_model is not None:
        advice = "The model to continue has its own, and another would move its trees."
        refuse(given, ["base_score"], (), advice)
        config = require_model_of(loss, xgb_model, "xgb_model")
        given |= kept_rate(given, config)
        if target is not None:
            _check_columns(target[0], config)
    bound = learning_rate_bound(
        *(given, LEARNING_RATE, DEFAULT_LEARNING_RATE, max_learning_rate),
        allows_zero=True,  # where a scheduler starts
    )
    if target is not None:
        _check_total(target[1])
    if target is not None and xgb_model is None:
        if "base_score" in given:
            _check_base_score(given["base_score"], loss, target)
        else:
            given["base_score"] = _baseline(loss, target, curvature)
    device, threads = given.get("device"), thread_setting(given)
    if not (isinstance(device, str) and device[:4] == "cuda" and has_gpu(device)):
        device = None  # CuPy cannot use it; XGBoost takes arrays of the host as well
    objective = FocalObjective(
        loss, curvature, bound, checks_start=False, n_threads=threads, device=device
    )
    metric = None if metrics_in(given.get("eval_metric")) else FocalMetric(loss)
    return Plan({**given, **fixed, "disable_default_eval_metric": 1}, objective, metric)


def _check_total(weight: Any) -> None:
    """Check that XGBoost can square the sums of weights."""
    total = 0.0 if weight is None else float(np.sum(weight, dtype=np.float64))
    if not total <= LARGEST_TOTAL_WEIGHT:
        rule = f"of a total of at most {LARGEST_TOTAL_WEIGHT:g} with XGBoost"
        reject("sample_weight", rule, total, "Divide sample_weight by its mean.")


def _check_columns(labels: Any, config: dict[str, Any]) -> None:
    """Check that the labels to continue with have as many columns as the model."""
    n_columns = np.prod(np.shape(labels)[1:], dtype=int)
    expected = int(config["learner"]["learner_model_param"]["num_target"])
    if n_columns != expected:
        rule = f"labels of {expected} column(s), as xgb_model has"
        reject("y", rule, int(n_columns), "Use a model of the same labels.")


def kept_rate(params: Mapping[str, Any], config: dict[str, Any]) -> dict[str, float]:
    """The learning rate of a model in memory, unless the parameters name another.

    XGBoost keeps it, as far as the model is not read from a file.
    """
    kind = config["learner"]["gradient_booster"]
    of_trees = kind.get("gbtree", kind).get("tree_train_param")
    if of_trees is None or any(params.get(name) is not None for name in LEARNING_RATE):
        return {}
    rate = np.float32(of_trees["learning_rate"])
    return {"learning_rate": float(str(rate))}  # 0.3 in place of 0.300000012


def fixed_params(loss: Loss) -> dict[str, Any]:
    """The parameters that make a model trained with obj= predict focal scores."""
    if isinstance(loss, FocalLoss):
        return {"objective": OBJECTIVES[0]}
    return {"objective": OBJECTIVES[1], "num_class": loss.n_classes}


def _refuse_conflicts(
    params: Mapping[str, Any], loss: Loss, fixed: dict[str, Any]
) -> None:
    """Reject parameters that contradict the focal loss."""
    name = fixed["objective"]
    advice = (
        "Leave it out. The objective is the focal loss, and the saved model names "
        f"{name}."
    )
    refuse(params, ["objective"], (name,), advice)
    refuse(params, ["scale_pos_weight"], (1,), WEIGHTS_INSTEAD)
    advice = "Leave it out, or set base_score to start elsewhere."
    refuse(params, ["boost_from_average"], (), advice)
    refuse(params, _OF_OTHERS, (), "XGBoost reads it for other objectives alone.")
    allowed = (fixed["num_class"],) if "num_class" in fixed else (0, 1)
    advice = (
        "Leave it out: an estimator counts the labels. To train, pass "
        "loss=SoftmaxFocalLoss({value})."
    )
    refuse(params, ["num_class"], allowed, advice)
    metrics = as_list(params.get("eval_metric"))
    for metric in [] if loss.is_log_loss else metrics:
        if isinstance(metric, str) and metric.split("@")[0] not in RANKING_METRICS:
            reject(
                "eval_metric",
                "a metric of the ranking, such as 'auc' or 'aucpr' (average precision)",
                metric,
                "XGBoost would evaluate it on the focal score, which is no "
                "probability. Leave it out for the relative focal loss, or pass a "
                "callable (to train as custom_metric), which XGBoost minimises: return "
                "1 - score for a score.",
            )


def _check_namesakes(params: Mapping[str, Any], loss: Loss) -> None:
    """Warn of XGBoost's gamma where focal_gamma seems to be meant; pairs are errors."""
    for name, own in (("gamma", "min_split_loss"), ("alpha", "reg_alpha")):
        value = params.get(name)
        instead = (
            f"With an estimator, use focal_{name}={value}. With train, use "
            f"loss=FocalLoss({name}={value})."
        )
        is_several = isinstance(value, Mapping | Sequence | np.ndarray)
        if is_several and not isinstance(value, str):
            reject(name, f"a number, XGBoost's {own}", value, instead)
        is_focusing = name == "gamma" and float(value or 0) >= SMALLEST_USUAL_GAMMA
        if is_focusing and loss.gamma == DEFAULT_GAMMA:
            warn(
                f"gamma={value} is XGBoost's minimum split loss, and the focusing "
                f"parameter is {DEFAULT_GAMMA}. {instead} If you mean the minimum "
                f"split loss, write min_split_loss={value}."
            )


def warn_of_score(metrics: Any, callbacks: Any) -> None:
    """Warn of a function that is named as a score. XGBoost minimises most of them."""
    if any(getattr(callback, "maximize", None) for callback in callbacks or ()):
        return
    for metric in as_list(metrics):
        name = name_of(metric)
        if name.endswith("_score") and not name.startswith(MAXIMISED):
            warn(
                f"XGBoost minimises {name}: early stopping would keep the worst round. "
                "Use eval_metric='aucpr' (average precision) or 'auc', or a function "
                f"that returns 1 - {name}."
            )


def as_base_score(loss: Loss, raw: NDArray[np.float64]) -> float | list[float]:
    """A constant raw prediction in the form that XGBoost wants.

    For binary problems that is a probability that XGBoost accepts. For a softmax it is
    a raw prediction for each class, with mean 0 as XGBoost's own (and so more exact in
    float32).
    """
    score = raw - raw.mean()
    if isinstance(loss, FocalLoss):
        score = np.clip(expit(raw), SMALLEST_BASE_SCORE, 1 - SMALLEST_BASE_SCORE)
    base_score: float | list[float] = score.tolist()
    return base_score


def start_of_probability(score: NDArray[np.float64]) -> NDArray[np.float64]:
    """The raw prediction that XGBoost makes of a probability, in float32 as it does."""
    one, least = np.float32(1), np.float32(SMALLEST_BASE_SCORE)
    inside = np.clip(np.float32(score), least, one - least)
    return np.asarray(-np.log(one / inside - one), dtype=np.float64)


def _baseline(
    loss: Loss, target: tuple[Any, Any], curvature: Curvature
) -> float | list[float]:
    """The baseline as a base_score.

    For the exact log loss of several classes it is XGBoost's own start, which adds
    1e-6 to each share of the weight, in float32.
    """
    score: NDArray[np.float64] = np.asarray(loss.baseline(*target))
    if score.ndim > 0 and not has_base_scores():
        rule = "3.1 or newer for several classes or labels, with a base_score for each"
        advice = (
            "Upgrade, or wrap the estimator in OneVsRestClassifier or "
            "MultiOutputClassifier of scikit-learn."
        )
        reject("xgboost", rule, import_host("xgboost").__version__, advice)
    is_own = loss.is_log_loss and curvature == "exact"
    if is_own and isinstance(loss, SoftmaxFocalLoss):
        masses = np.asarray(loss.class_masses(*target))
        shares = masses / masses.sum()
        score = np.log(np.float32(shares) + np.float32(SMALLEST_BASE_SCORE))
    return as_base_score(loss, score)


def _check_base_score(base_score: Any, loss: Loss, target: tuple[Any, Any]) -> None:
    """Warn if the base_score is a poor start; XGBoost rejects those it cannot read."""
    try:
        given = json.loads(base_score) if isinstance(base_score, str) else base_score
        score = np.asarray(given, dtype=np.float64)
    except (ValueError, TypeError):
        return
    if isinstance(loss, FocalLoss):
        if not np.all((score >= 0) & (score <= 1)):
            return
        score = start_of_probability(score)
    warn_of_poor_base_score(loss, score, *target)


def is_update(params: Mapping[str, Any]) -> bool:
    """Whether XGBoost is to update the trees of a model, with ``updater="refresh"``."""
    return params.get("process_type") == "update"


def check_update(
    params: Mapping[str, Any],
    model: "xgboost.Booster | None",
    rounds: int,
    name: str = "num_boost_round",
    checkpoint: Any = None,
) -> None:
    """Check that an update reaches all trees: XGBoost would drop the others."""
    if not is_update(params):
        return
    if model is None:
        advice = "Pass the model to update."
        reject("xgb_model", 'a model, for process_type="update"', model, advice)
    own = model.num_boosted_rounds()
    if rounds != own:
        rule = f"{own}, the rounds of the model to update"
        reject(name, rule, rounds, f"Use {name}={own}.")
    if checkpoint is not None:
        advice = "An update has no rounds to continue from."
        reject("checkpoint", 'None for process_type="update"', checkpoint, advice)


def has_base_scores() -> bool:
    """Whether XGBoost can have a base_score for each class or label, as since 3.1."""
    version: str = import_host("xgboost").__version__
    return tuple(int(part) for part in version.split(".")[:2]) >= (3, 1)


def require_model_of(loss: Loss, model: "xgboost.Booster", name: str) -> dict[str, Any]:
    """The configuration of a model whose predictions are scores of the loss."""
    fixed = fixed_params(loss)
    config: dict[str, Any] = json.loads(model.save_config())
    learner = config["learner"]
    found = {"objective": learner["objective"]["name"]}
    if "num_class" in fixed:
        found["num_class"] = int(learner["learner_model_param"]["num_class"])
    if found != fixed:
        advice = "Use a model of focalboost, or of XGBoost's own log loss."
        reject(name, f"a model with {fixed}", found, advice)
    return config
