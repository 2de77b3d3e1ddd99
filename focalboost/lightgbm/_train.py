"""LightGBM's train with the focal loss, and the finalised model that it returns."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from focalboost._checkpoint import Checkpoint, checked_checkpoint, training_of
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
from focalboost.lightgbm._checkpoint import Resumed, Saver, resumed
from focalboost.lightgbm._model import (
    constant_model,
    continuable,
    finalise,
    has_split,
    is_without_features,
    provenance_of,
)
from focalboost.lightgbm._params import (
    EARLY_STOPPING,
    NUM_CLASS,
    make_plan,
    rounds_apart,
)
from focalboost.lightgbm._start import require_data_set, starting_score, target_of
from focalboost.losses import Loss
from focalboost.objectives import Curvature

if TYPE_CHECKING:
    from os import PathLike
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
    checkpoint: "Checkpoint | str | PathLike[str] | None" = None,
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
    checkpoint : Checkpoint or path, optional
        A file to save the model in, and to go on from. Evaluations are those of the
        rounds since then.

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
    # Left in params they would count in place of the rounds that are left to do.
    params, num_boost_round = rounds_apart(params, num_boost_round)
    loss = checked_loss(loss, one_value(params, NUM_CLASS))
    _refuse_training_booster(keep_training_booster)
    plan = make_plan(params, loss, feval, curvature, max_learning_rate)
    file = checked_checkpoint(checkpoint, _stops_early(plan.params, callbacks))
    validation = as_list(valid_sets)
    require_data_set("train_set", train_set)
    for data_set in validation:
        require_data_set("valid_sets", data_set)
    start = Resumed(None, 0, num_boost_round)
    if init_model is not None:
        given = continuable(init_model, plan.params)
        known = provenance_of(given, "init_model")
        warn_of_another_loss(known, loss, "init_model")
        start = start._replace(model=given)
    training: dict[str, Any] = {}
    if file is not None:
        target = target_of(train_set, plan.params)
        training = training_of(loss, params, curvature, max_learning_rate, target)
        start = resumed(file, training, start)
    model = start.model
    if start.done > 0 and start.left == 0 and model is not None:
        return finalise(model, loss=loss)
    with (
        without_autologging("lightgbm"),
        starting_score(loss, plan.params, model, train_set, validation) as baseline,
    ):
        savers = [Saver(file, training, start, loss, baseline)] if file else []
        try:
            booster: lightgbm.Booster = import_host("lightgbm").train(
                plan.params,
                train_set,
                start.left,
                valid_sets=validation or None,
                valid_names=valid_names,
                feval=feval or plan.metric,
                init_model=model,
                callbacks=[*(callbacks or ()), *savers],
            )
        except import_host("lightgbm").basic.LightGBMError as error:
            if not is_without_features(error, params) or model is not None:
                raise
            booster = constant_model(plan.params, train_set)
    warn_of_no_split(has_split(booster))
    return finalise(booster, baseline, loss)


def _stops_early(params: Mapping[str, Any], callbacks: Any) -> bool:
    kind = type(import_host("lightgbm").early_stopping(1))
    named = one_value(params, EARLY_STOPPING)
    return bool(named) or any(isinstance(one, kind) for one in callbacks or ())


def _refuse_training_booster(keep_training_booster: bool) -> None:
    if keep_training_booster:
        reject(
            "keep_training_booster",
            "False",
            keep_training_booster,
            "The returned model has its baseline in its trees; train it further with "
            "init_model.",
        )
