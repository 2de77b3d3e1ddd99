"""XGBoost's train with the focal loss: baseline, objective name and metric are set."""

import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

from focalboost._checkpoint import Checkpoint, checked_checkpoint, training_of
from focalboost._host import checked_loss, import_host, warn_of_no_split
from focalboost._provenance import Provenance, warn_of_another_loss
from focalboost._validation import reject
from focalboost.losses import Loss
from focalboost.objectives import Curvature, weights_of
from focalboost.xgboost._checkpoint import Resumed, resumed, saver
from focalboost.xgboost._model import (
    booster_of,
    is_linear,
    provenance_of,
    set_provenance,
)
from focalboost.xgboost._params import make_plan

if TYPE_CHECKING:
    import xgboost

__all__ = ["has_split", "train", "warn_of_fallback"]


def train(
    params: Mapping[str, Any] | Sequence[tuple[str, Any]],
    dtrain: "xgboost.DMatrix",
    num_boost_round: int = 10,
    *,
    loss: Loss | None = None,
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
    checkpoint: Checkpoint | str | PathLike[str] | None = None,
) -> "xgboost.Booster":
    """Train an XGBoost model with the focal loss.

    It is ``xgboost.train`` with the objective, the baseline as ``base_score``, and
    the relative focal loss as metric, unless ``eval_metric`` or ``custom_metric``
    names another. The returned booster is a plain XGBoost model: ``predict`` gives
    ``expit`` of the raw prediction, or the softmax, without focalboost;
    ``loss.posterior(booster.predict(d, output_margin=True))`` is the probability.
    Labels (n, T) are T binary problems, each with its own baseline (multilabel).

    Parameters
    ----------
    params, dtrain, num_boost_round, evals, maximize, early_stopping_rounds, \
evals_result, verbose_eval, callbacks
        As in ``xgboost.train``.
    loss : FocalLoss or SoftmaxFocalLoss, optional
        The loss, with gamma and alpha; by default that of gamma 2, and of the softmax
        where ``params`` has a ``num_class`` above 2.
    curvature : {"certified", "exact"}, default="certified"
        As in ``focal_objective``.
    max_learning_rate : float, optional
        The largest learning rate of the training, if a callback changes it. Otherwise
        the one in ``params`` is taken, or 0.3 if that is larger.
    xgb_model
        A model to continue from, as in ``xgboost.train``. Its baseline is kept; one
        that is known to have another gamma or alpha is warned of.
    custom_metric
        A metric instead of the relative focal loss; gets raw predictions.
    checkpoint : Checkpoint or path, optional
        A file to save the model in, and to go on from. Evaluations are those of the
        rounds since then.

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
    settings = _as_dict(params)
    loss = checked_loss(loss, settings.get("num_class"))
    stops_early = _stops_early(early_stopping_rounds, callbacks)
    file = checked_checkpoint(checkpoint, stops_early)
    target = _target(dtrain)
    given = None if xgb_model is None else booster_of(xgb_model)
    start, savers = Resumed(given, 0, num_boost_round), []
    if file is not None:
        training = training_of(loss, settings, curvature, max_learning_rate, target)
        start = resumed(file, training, start)
        savers = [saver(file, training, start, loss)]
    if start.done > 0:
        settings.pop("base_score", None)  # the model's own, from the same settings
    plan = make_plan(settings, loss, target, start.model, curvature, max_learning_rate)
    if given is not None:
        warn_of_another_loss(provenance_of(given, "xgb_model"), loss, "xgb_model")
    booster: xgboost.Booster = import_host("xgboost").train(
        plan.params,
        dtrain,
        start.left,
        obj=plan.objective,
        evals=evals,
        maximize=maximize,
        early_stopping_rounds=early_stopping_rounds,
        evals_result=evals_result,
        verbose_eval=verbose_eval,
        xgb_model=start.model,
        callbacks=[*(callbacks or ()), *savers],
        custom_metric=custom_metric or plan.metric,
    )
    warn_of_fallback(plan.params.get("device"), booster)
    warn_of_no_split(has_split(booster))
    set_provenance(booster, Provenance(loss, None))
    return booster


def _target(dtrain: Any) -> tuple[Any, Any]:
    """Labels and weights of a DMatrix with labels."""
    if not isinstance(dtrain, import_host("xgboost").DMatrix):
        reject(
            "dtrain",
            "an xgboost.DMatrix",
            type(dtrain).__name__,
            "Use xgboost.DMatrix(X, label=y).",
        )
    labels = dtrain.get_label()
    if len(labels) == 0:
        reject("dtrain", "with labels", "none", "Use xgboost.DMatrix(X, label=y).")
    return labels, weights_of(dtrain)


def _stops_early(rounds: Any, callbacks: Any) -> bool:
    kind = import_host("xgboost").callback.EarlyStopping
    return bool(rounds) or any(isinstance(one, kind) for one in callbacks or ())


def _as_dict(params: Mapping[str, Any] | Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Parameters as a dict; a list of pairs may name eval_metric more than once."""
    if isinstance(params, Mapping):
        return dict(params)
    metrics = [value for name, value in params if name == "eval_metric"]
    return {**dict(params), **({"eval_metric": metrics} if metrics else {})}


def warn_of_fallback(device: Any, booster: "xgboost.Booster") -> None:
    """Warn of a training on the CPU where a GPU was asked for."""
    found = json.loads(booster.save_config())["learner"]["generic_param"]["device"]
    if str(device or "cpu") != "cpu" and found == "cpu":
        warnings.warn(
            f"XGBoost found no GPU and trained on the CPU; device was {device!r}.",
            UserWarning,
            stacklevel=3,
        )


def has_split(booster: "xgboost.Booster") -> bool:
    """Whether some tree has a split; a linear model always counts."""
    return is_linear(booster) or bool(booster.get_score(importance_type="weight"))
