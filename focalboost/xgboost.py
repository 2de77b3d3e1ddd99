"""XGBoost's train with the focal loss: baseline, objective name and metric are set."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from scipy.special import expit

from focalboost._host import (
    DEFAULT_LEARNING_RATE_LIMIT,
    as_list,
    import_host,
    learning_rate_bound,
    one_value,
    refuse,
    warn_of_no_split,
)
from focalboost._validation import reject
from focalboost.losses import FocalLoss
from focalboost.objectives import Curvature, FocalMetric, FocalObjective
from focalboost.objectives._grammar import weights_of

if TYPE_CHECKING:
    import xgboost

__all__ = ["train"]

#: XGBoost holds a probability given as base_score at this distance from 0 and 1.
SMALLEST_BASE_SCORE = 1e-6

#: What makes a model trained with obj= predict expit(raw) by itself, and keeps the
#: log loss of focal scores from being reported.
FIXED_PARAMS = {"objective": "binary:logistic", "disable_default_eval_metric": 1}

#: Metrics that depend on the order of the predictions only.
RANKING_METRICS = ("auc", "pre", "map", "ndcg")

LEARNING_RATE = ("learning_rate", "eta")


def train(
    params: Mapping[str, Any] | Sequence[tuple[str, Any]],
    dtrain: "xgboost.DMatrix",
    num_boost_round: int = 10,
    *,
    loss: FocalLoss | None = None,
    curvature: Curvature = "certified",
    max_learning_rate: float | None = None,
    evals: Sequence[tuple["xgboost.DMatrix", str]] | None = None,
    maximize: bool | None = None,
    early_stopping_rounds: int | None = None,
    evals_result: dict[str, Any] | None = None,
    verbose_eval: bool | int | None = True,
    xgb_model: Any = None,
    callbacks: Sequence[Any] | None = None,
    custom_metric: Callable[..., Any] | None = None,
) -> "xgboost.Booster":
    """Train an XGBoost model with the focal loss.

    It is ``xgboost.train`` with the objective, the baseline as ``base_score``, and
    the relative focal loss as metric, unless ``eval_metric`` or ``custom_metric``
    names another. The returned booster is a plain XGBoost model: ``predict`` gives
    ``expit`` of the raw prediction without focalboost;
    ``loss.posterior(booster.predict(d, output_margin=True))`` is the probability.

    Parameters
    ----------
    params, dtrain, num_boost_round, evals, maximize, early_stopping_rounds, \
evals_result, verbose_eval, callbacks
        As in ``xgboost.train``.
    loss : FocalLoss, default=FocalLoss()
        The loss, with gamma and alpha.
    curvature : {"certified", "exact"}, default="certified"
        As in ``focal_objective``.
    max_learning_rate : float, optional
        The largest learning rate of the training, if a callback changes it. Otherwise
        the one in ``params`` is taken, or 0.3 if that is larger.
    xgb_model
        A model to continue from, as in ``xgboost.train``. Its baseline is kept.
    custom_metric
        A metric instead of the relative focal loss; gets raw predictions.

    Raises
    ------
    ValueError
        If a parameter contradicts the focal loss, and as in ``focal_objective``.

    Examples
    --------
    >>> import numpy as np, xgboost, focalboost.xgboost
    >>> from focalboost import FocalLoss
    >>> X = np.arange(60.0).reshape(-1, 1)
    >>> dtrain = xgboost.DMatrix(X, label=X[:, 0] > 50)
    >>> loss = FocalLoss(gamma=2)
    >>> booster = focalboost.xgboost.train({"max_depth": 2}, dtrain, 20, loss=loss)
    >>> raw = booster.predict(dtrain, output_margin=True)
    >>> bool(loss.posterior(raw)[-1] > 0.9)
    True
    """
    loss = FocalLoss() if loss is None else loss
    settings = _as_dict(params)
    refuse_conflicts(settings, loss)
    rate = one_value(settings, LEARNING_RATE, DEFAULT_LEARNING_RATE_LIMIT)
    objective = FocalObjective(
        loss, curvature, learning_rate_bound(rate, max_learning_rate)
    )
    if xgb_model is None:
        label, weight = dtrain.get_label(), weights_of(dtrain)
        settings.setdefault("base_score", base_score(loss, label, weight))
    else:
        xgb_model = continuable(settings, xgb_model)
    if custom_metric is None and "eval_metric" not in settings:
        custom_metric = FocalMetric(loss)
    booster: xgboost.Booster = import_host("xgboost").train(
        {**settings, **FIXED_PARAMS},
        dtrain,
        num_boost_round,
        obj=objective,
        evals=evals,
        maximize=maximize,
        early_stopping_rounds=early_stopping_rounds,
        evals_result=evals_result,
        verbose_eval=verbose_eval,
        xgb_model=xgb_model,
        callbacks=callbacks,
        custom_metric=custom_metric,
    )
    warn_of_no_split(has_split(booster))
    return booster


def _as_dict(params: Mapping[str, Any] | Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Parameters as a dict; a list of pairs may name eval_metric more than once."""
    if isinstance(params, Mapping):
        return dict(params)
    metrics = [value for name, value in params if name == "eval_metric"]
    return {**dict(params), **({"eval_metric": metrics} if metrics else {})}


def refuse_conflicts(params: Mapping[str, Any], loss: FocalLoss) -> None:
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
        if isinstance(metric, str) and not metric.startswith(RANKING_METRICS):
            reject(
                "eval_metric",
                "a metric of the ranking, such as 'auc' or 'aucpr'",
                metric,
                "XGBoost would evaluate it on the focal score, which is not a "
                "probability. Leave it out for the relative focal loss, or pass a "
                "callable.",
            )


def base_score(loss: FocalLoss, y_true: Any, sample_weight: Any) -> float:
    """The baseline as the probability that XGBoost wants, within what it accepts."""
    score = float(expit(loss.baseline(y_true, sample_weight)))
    return min(max(score, SMALLEST_BASE_SCORE), 1 - SMALLEST_BASE_SCORE)


def continuable(params: Mapping[str, Any], xgb_model: Any) -> "xgboost.Booster":
    """The model to continue, if its first trees would keep their meaning."""
    refuse(
        params,
        ["base_score"],
        (),
        "The model to continue has its own; another would move its trees.",
    )
    model = _booster_of(xgb_model)
    objective = json.loads(model.save_config())["learner"]["objective"]["name"]
    if objective != "binary:logistic":
        reject(
            "xgb_model",
            "a model with objective 'binary:logistic'",
            objective,
            "Continue a model of focalboost, or of XGBoost's own log loss.",
        )
    return model


def _booster_of(xgb_model: Any) -> "xgboost.Booster":
    """The booster of an estimator, of a file or its bytes, or the booster itself."""
    host = import_host("xgboost")
    if isinstance(xgb_model, host.XGBModel):
        xgb_model = xgb_model.get_booster()
    if not isinstance(xgb_model, host.Booster):
        xgb_model = host.Booster(model_file=xgb_model)
    booster: xgboost.Booster = xgb_model
    return booster


def has_split(booster: "xgboost.Booster") -> bool:
    """Whether some tree has a split; a linear model always counts."""
    learner = json.loads(booster.save_config())["learner"]
    if learner["gradient_booster"]["name"] == "gblinear":
        return True
    return bool(booster.get_score(importance_type="weight"))
