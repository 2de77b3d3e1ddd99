"""LightGBM's train with the focal loss, and the finalised model that it returns."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from focalboost._host import (
    as_list,
    checked_loss,
    import_host,
    one_value,
    warn_of_no_split,
)
from focalboost._provenance import warn_of_another_loss
from focalboost._tracking import without_autologging
from focalboost._validation import reject
from focalboost.lightgbm._model import (
    constant_model,
    continuable,
    finalise,
    has_split,
    is_without_features,
    provenance_of,
)
from focalboost.lightgbm._params import NUM_CLASS, make_plan
from focalboost.lightgbm._start import starting_score
from focalboost.losses import Loss
from focalboost.objectives import Curvature

if TYPE_CHECKING:
    from pathlib import Path

    import lightgbm

__all__ = ["train"]


def train(
    params: Mapping[str, Any],
    train_set: "lightgbm.Dataset",
    num_boost_round: int = 100,
    valid_sets: "Sequence[lightgbm.Dataset] | lightgbm.Dataset | None" = None,
    valid_names: Sequence[str] | str | None = None,
    feval: Callable[..., Any] | Sequence[Callable[..., Any]] | None = None,
    init_model: "str | Path | lightgbm.Booster | None" = None,
    keep_training_booster: bool = False,
    callbacks: Sequence[Callable[..., Any]] | None = None,
    *,
    loss: Loss | None = None,
    curvature: Curvature = "certified",
    max_learning_rate: float | None = None,
) -> "lightgbm.Booster":
    """Train a LightGBM model with the focal loss.

    It is ``lightgbm.train`` with the objective, the baseline as ``init_score`` of
    every data set that has none, and the relative focal loss as metric, unless
    ``metric`` or ``feval`` names another. The returned booster is a plain LightGBM
    model with the baseline in its first trees: ``predict`` gives ``expit`` of the raw
    prediction, or the softmax, without focalboost.
    ``loss.posterior(booster.predict(X, raw_score=True))`` is the probability.

    Parameters
    ----------
    params, train_set, num_boost_round, valid_sets, valid_names, callbacks
        As in ``lightgbm.train``. A train set with an ``init_score`` of its own starts
        from there, which then has to be added to predictions, as with LightGBM.
    feval
        Metrics instead of the relative focal loss; get raw predictions.
    init_model
        A model to continue from. Its raw predictions are the start; one that is known
        to have another gamma or alpha is warned of.
    keep_training_booster : False
        A finalised model cannot be trained in place: continue with ``init_model``.
    loss : FocalLoss or SoftmaxFocalLoss, optional
        The loss, with gamma and alpha; by default that of gamma 2, and of the softmax
        where ``params`` has a ``num_class`` above 2.
    curvature : {"certified", "exact"}, default="certified"
        As in ``focal_objective``.
    max_learning_rate : float, optional
        The largest learning rate of the training, if a callback changes it. Otherwise
        the one in ``params`` is taken, or 0.3 if that is larger.

    Raises
    ------
    ValueError
        If a parameter contradicts the focal loss, and as in ``focal_objective``.

    Notes
    -----
    With ``boosting="dart"`` and any callable objective LightGBM reads a flag that it
    has not set yet: repeated runs may drop different trees, whatever the seed.

    Examples
    --------
    >>> import lightgbm, numpy as np, focalboost.lightgbm
    >>> from focalboost import FocalLoss
    >>> X = np.arange(200.0).reshape(-1, 1)
    >>> train_set = lightgbm.Dataset(X, label=X[:, 0] >= 170)
    >>> loss = FocalLoss(gamma=2)
    >>> booster = focalboost.lightgbm.train(
    ...     {"verbosity": -1}, train_set, 50, loss=loss
    ... )
    >>> bool(loss.posterior(booster.predict(X, raw_score=True))[-1] > 0.9)
    True
    """
    loss = checked_loss(loss, one_value(params, NUM_CLASS))
    _refuse_training_booster(keep_training_booster)
    plan = make_plan(params, loss, feval, curvature, max_learning_rate)
    validation = as_list(valid_sets)
    model = None if init_model is None else continuable(init_model, plan.params)
    if model is not None:
        warn_of_another_loss(provenance_of(model, "init_model"), loss, "init_model")
    with (
        without_autologging("lightgbm"),
        starting_score(loss, plan.params, model, train_set, validation) as baseline,
    ):
        try:
            booster: lightgbm.Booster = import_host("lightgbm").train(
                plan.params,
                train_set,
                num_boost_round,
                valid_sets=validation or None,
                valid_names=valid_names,
                feval=feval or plan.metric,
                init_model=model,
                callbacks=callbacks,
            )
        except import_host("lightgbm").basic.LightGBMError as error:
            if model is not None or not is_without_features(error):
                raise
            booster = constant_model(plan.params, train_set)
    warn_of_no_split(has_split(booster))
    return finalise(booster, baseline, loss)


def _refuse_training_booster(keep_training_booster: bool) -> None:
    if keep_training_booster:
        reject(
            "keep_training_booster",
            "False",
            keep_training_booster,
            "The returned model has its baseline in its trees; train it further with "
            "init_model.",
        )
