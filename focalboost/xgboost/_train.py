"""XGBoost's train with the focal loss: baseline, objective name and metric are set."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from focalboost._hosts._checkpoint import (
    Checkpoint,
    Run,
    Saves,
    checked_checkpoint,
    resumed,
    training_of,
)
from focalboost._hosts._imports import import_host
from focalboost._hosts._masses import checked_masses, masses_of, rows_of_masses
from focalboost._hosts._note import Provenance, warn_of_another_loss
from focalboost._hosts._params import (
    Balance,
    balances,
    checked_balance,
    checked_loss,
    refuse_objective,
    refuse_scikit_learn_metric,
    warn_of_no_split,
)
from focalboost._validation import reject
from focalboost.losses import Loss
from focalboost.objectives import Curvature, for_training, labels_of, weights_of
from focalboost.objectives._grammar import (
    failing_together,
    n_workers,
    over_workers,
    require_same,
)
from focalboost.xgboost._balance import (
    balancing,
    shift_base_score,
    without_predictions,
)
from focalboost.xgboost._model import (
    booster_of,
    checkpoint_in,
    digests_of,
    in_balance,
    is_linear,
    learner_of,
    provenance_of,
    save_checkpoint,
    saver,
    set_provenance,
)
from focalboost.xgboost._params import (
    by_position,
    calls_back_in_order,
    check_update,
    is_update,
    make_plan,
    warn_of_score,
)

if TYPE_CHECKING:
    import xgboost


@by_position
def train(
    params: Mapping[str, Any] | Sequence[tuple[str, Any]],
    dtrain: "xgboost.DMatrix",
    num_boost_round: int = 10,
    *,
    evals: Sequence[tuple["xgboost.DMatrix", str]] | None = None,
    obj: None = None,
    maximize: bool | None = None,
    early_stopping_rounds: int | None = None,
    evals_result: dict[str, Any] | None = None,
    verbose_eval: bool | int | None = True,
    xgb_model: Any = None,
    callbacks: Sequence[Any] | None = None,
    custom_metric: Callable[..., Any] | None = None,
    loss: Loss | None = None,
    curvature: Curvature = "certified",
    max_learning_rate: float | None = None,
    balance: Balance = True,
    class_masses: Any = None,
    checkpoint: Checkpoint | str | PathLike[str] | None = None,
) -> "xgboost.Booster":
    """Train an XGBoost model with the focal loss.

    It is ``xgboost.train`` with the objective, the baseline as ``base_score``, and
    the relative focal loss as metric, unless ``eval_metric`` or ``custom_metric``
    names another. The returned booster is a plain XGBoost model: ``predict`` gives
    ``expit`` of the raw prediction, or the softmax, without focalboost;
    ``loss.posterior(booster.predict(d, output_margin=True))`` is the probability.
    Labels (n, T) are T binary problems, each with its own baseline (multilabel).

    Call it on every worker of an XGBoost collective, as Ray Train starts one: baseline,
    metric and balance are those of the rows of all workers, and all get the same model.
    A worker may have rows of one class, or none. If one worker raises an error, all do.

    Parameters
    ----------
    params, dtrain, num_boost_round, evals, maximize, early_stopping_rounds, \
evals_result, verbose_eval, callbacks : as in ``xgboost.train``
        The host's own arguments. Metrics of the rounds are those before the balance.
        Labels and weights are read once. With ``callbacks``, which may set others, they
        are read in every round.
    loss : FocalLoss or SoftmaxFocalLoss, optional
        The loss, with gamma and alpha; by default that of gamma 2, and of the softmax
        where ``params`` has a ``num_class`` above 2.
    curvature : {"certified", "exact"}, default="certified"
        As in ``focal_objective``.
    max_learning_rate : float, optional
        The largest learning rate of the training, if a callback changes it. Otherwise
        the one in ``params`` is taken, or 0.3 if that is larger.
    balance : bool or "validation", default=True
        Move the model's ``base_score`` after the last round by the constant with which
        the weighted sum of the posteriors is that of the labels: over the training
        rows, or over the last of ``evals``. It holds for all rounds, as ``predict`` of
        a booster takes them: stop early with ``EarlyStopping(save_best=True)`` to keep
        only those up to the best. The ranking does not change. The log loss
        with the exact curvature, data sets with a ``base_margin``, which takes the
        place of the ``base_score``, and ``gblinear`` of several classes or labels,
        which has one ``base_score`` for all, are left as they are.
    class_masses : (positive, negative) or array of shape (K,), optional
        The total weight of each class, for the baseline. By default it is that of the
        rows of ``dtrain`` on all workers. Pass it if processes that XGBoost does not
        know hold more of the rows. It is what ``loss.class_masses(y, sample_weight)``
        returns for all rows, or the sum of what it returns for their parts. Metric and
        balance use the rows of the workers.
    xgb_model : Booster, estimator, path or bytes, optional
        A model to continue from, as in ``xgboost.train``. Its baseline is kept. A model
        of another gamma or alpha, or of the host's own log loss, raises a warning. So
        does a ``QuantileDMatrix``, on whose bins XGBoost misreads the trees of a model
        of other rows. Load only files that you trust. With ``params`` of
        ``process_type="update"`` and ``updater="refresh"`` its leaves are refitted to
        ``dtrain`` and no tree is added; ``num_boost_round`` is its number of rounds
        then.
    custom_metric : callable, optional
        A metric instead of the relative focal loss. It gets raw predictions.
    obj : None
        The loss is the objective.
    checkpoint : Checkpoint or path, optional
        A file to save the model to, and to continue from. A file of another training,
        as far as that is known, raises an error. Evaluations are those of the rounds
        since then.

    Returns
    -------
    xgboost.Booster
        The plain model, which predicts without focalboost.

    Raises
    ------
    ValueError
        If a parameter contradicts the focal loss, and as in ``focal_objective``.

    Notes
    -----
    The model names XGBoost's own log loss. So ``xgboost.train`` with this model as
    ``xgb_model`` and without ``obj``, a refresh among others, trains log loss on focal
    scores, and its probabilities are several times too small. Continue and refresh with
    this function. If a class has no row or no weight, the baseline counts it as 1e-6 of
    all weight, and balance does not move it.

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
    settings = as_dict(params)
    refuse_objective(obj)
    refuse_scikit_learn_metric("custom_metric", custom_metric, "(name, value)")
    if maximize is None:
        warn_of_score(custom_metric, callbacks)
    loss = checked_loss(loss, settings.get("num_class"), settings.get("objective"))
    stops_early = _stops_early(early_stopping_rounds, callbacks)
    with failing_together():
        file = checked_checkpoint(checkpoint, stops_early, n_workers())
        balance = checked_balance(balance, "balance", bool(evals))
        target = target_of(dtrain)
        # A training of new trees takes the balance back on XGBoost's own copy.
        read = booster_of if is_update(settings) else in_balance
        given = None if xgb_model is None else read(xgb_model)
        check_update(settings, given, num_boost_round, checkpoint=file)
    masses = masses_of_workers(loss, target, class_masses)
    n_evals = len(evals or ())
    require_same("evals", "of the same length", n_evals, "Use a DMatrix without rows.")
    run, saves = Run(given, 0, num_boost_round), None
    if file is not None:
        training = training_of(
            *(loss, settings, curvature, max_learning_rate),
            *(balance, digests_of(dtrain)),
        )
        run = resumed(run._replace(checkpoint=file, training=training), checkpoint_in)
        saves = Saves(run, file)
    if run.done > 0:
        settings.pop("base_score", None)  # the model's own, from the same settings
    rows = rows_of_masses(loss, masses)
    plan = make_plan(settings, loss, rows, run.model, curvature, max_learning_rate)
    if given is not None:
        warn_of_another_loss(provenance_of(given, "xgb_model"), loss, "xgb_model")
        warn_of_bins(dtrain)
    to_balance = None
    if balances(balance, loss, curvature):
        to_balance = dtrain if balance is True else list(evals or ())[-1][0]
    keeper = balancing(loss, to_balance, plan.objective.n_threads)
    savers = [saver(saves, loss)] if saves else []
    booster: xgboost.Booster = import_host("xgboost").train(
        plan.params,
        dtrain,
        run.left,
        obj=for_training(plan.objective, callbacks),
        evals=evals,
        maximize=maximize,
        early_stopping_rounds=early_stopping_rounds,
        evals_result=evals_result,
        verbose_eval=verbose_eval,
        xgb_model=run.model,
        callbacks=[*(callbacks or ()), *savers, keeper],  # others may cut the model
        custom_metric=for_training(custom_metric or plan.metric, callbacks),
    )
    if not calls_back_in_order():
        keeper.after_training(booster)  # another callback may have cut it since
    warn_of_fallback(plan.params.get("device"), booster)
    warn_of_no_split(has_split(booster), loss)
    before = None
    if keeper.shift is not None:
        booster = without_predictions(booster, is_update(settings))
        before = shift_base_score(booster, loss, keeper.shift)
    set_provenance(booster, Provenance(loss, None, before))
    if saves is not None:
        save_checkpoint(saves, saves.last_note(), booster)
    return booster


def target_of(dtrain: Any) -> tuple[Any, Any]:
    """Labels and weights of a DMatrix with labels."""
    if not isinstance(dtrain, import_host("xgboost").DMatrix):
        reject(
            "dtrain",
            "an xgboost.DMatrix",
            type(dtrain).__name__,
            "Use xgboost.DMatrix(X, label=y).",
        )
    labels = labels_of(dtrain)
    if len(labels) == 0 and not (dtrain.num_row() == 0 and n_workers() > 1):
        reject("dtrain", "with labels", "none", "Use xgboost.DMatrix(X, label=y).")
    return labels, weights_of(dtrain)


def masses_of_workers(
    loss: Loss, target: tuple[Any, Any], given: Any
) -> NDArray[np.float64]:
    """The class masses of all rows, which are the same on all workers, as a mean is."""
    own = over_workers(lambda: masses_of(loss, target))
    total = over_workers(lambda: own if given is None else checked_masses(given, own))
    return total / n_workers()


def _stops_early(rounds: Any, callbacks: Any) -> bool:
    kind = import_host("xgboost").callback.EarlyStopping
    return bool(rounds) or any(isinstance(one, kind) for one in callbacks or ())


def as_dict(params: Mapping[str, Any] | Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Parameters as a dict; a list of pairs may name eval_metric more than once."""
    if isinstance(params, Mapping):
        return dict(params)
    metrics = [value for name, value in params if name == "eval_metric"]
    return {**dict(params), **({"eval_metric": metrics} if metrics else {})}


def warn_of_fallback(device: Any, booster: "xgboost.Booster") -> None:
    """Warn of a training on the CPU where a GPU was asked for."""
    if str(device or "cpu") == "cpu":
        return
    if learner_of(booster)["generic_param"]["device"] == "cpu":
        warnings.warn(
            f"XGBoost found no GPU and trained on the CPU; device was {device!r}.",
            UserWarning,
            stacklevel=3,
        )


def warn_of_bins(dtrain: Any) -> None:
    """Warn that XGBoost reads the trees of a model on the bins of a data set."""
    kind = type(dtrain).__name__
    if "QuantileDMatrix" in kind:  # of one machine, of external memory, of Dask
        warnings.warn(
            f"XGBoost reads the trees of xgb_model on the bins of a {kind}: if the "
            "model is of other rows, the training starts from other raw predictions "
            "than the model gives. Use a DMatrix without quantiles.",
            UserWarning,
            stacklevel=3,
        )


def has_split(booster: "xgboost.Booster") -> bool:
    """Whether some tree has a split; a linear model always counts."""
    return bool(booster.get_score(importance_type="weight")) or is_linear(booster)
