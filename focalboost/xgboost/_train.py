"""XGBoost's train and cv with the focal loss."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from focalboost._hosts._checkpoint import (
    Checkpoint,
    Run,
    checked_checkpoint,
    training_of,
)
from focalboost._hosts._imports import import_host
from focalboost._hosts._note import Provenance, warn_of_another_loss
from focalboost._hosts._params import (
    Balance,
    as_list,
    balance_to_make,
    checked_balance,
    checked_loss,
    checked_masses,
    refuse_objective,
    rows_of_masses,
    warn_of_no_split,
)
from focalboost._validation import reject, warn
from focalboost.losses import Loss
from focalboost.objectives import Curvature, for_training, labels_of, weights_of
from focalboost.objectives._grammar import (
    failing_together,
    n_workers,
    over_workers,
    require_same,
)
from focalboost.xgboost import _model, _params

if TYPE_CHECKING:
    import xgboost

#: What XGBoost's fpreproc takes and returns: both data sets of a fold, and parameters.
Fold = tuple["xgboost.DMatrix", "xgboost.DMatrix", dict[str, Any]]


@_params.by_position
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
        The largest learning rate that a callback sets. By default it is the one in
        ``params``, or 0.3 if that is larger.
    balance : bool or "validation", default=True
        Move the model's ``base_score`` after the last round by the constant with which
        the weighted sum of the posteriors is that of the labels: over the training
        rows, or over the last of ``evals``. It holds for all rounds, as ``predict`` of
        a booster takes them: stop early with ``EarlyStopping(save_best=True)`` to keep
        only those up to the best. The ranking does not change. The log loss
        with the exact curvature is left as it is. So are models of data sets with a
        ``base_margin``, which replaces the ``base_score``, and ``gblinear`` models of
        several classes or labels, which have a single ``base_score``.
    class_masses : (positive, negative) or array of shape (K,), optional
        The total weight of each class, for the baseline. By default it is that of the
        rows of ``dtrain`` on all workers. If processes that XGBoost does not know hold
        more rows, pass the sum of what ``loss.class_masses(y, sample_weight)`` returns
        for all parts. Metric and balance use the rows of the workers.
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
        A file to save the model to, and to continue from; see ``Checkpoint``.
        Evaluations are those of the rounds since then.

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
    this function. A class without weight counts as 1e-6 of all weight in the baseline,
    and balance does not move it.

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
    settings, evals = _as_dict(params), list(evals or ())
    refuse_objective(obj)
    if maximize is None:
        _params.warn_of_score(custom_metric, callbacks)
    loss = checked_loss(loss, settings.get("num_class"), settings.get("objective"))
    with failing_together():
        stops = bool(early_stopping_rounds) or _stops_early(callbacks)
        file = checked_checkpoint(checkpoint, stops, n_workers())
        balance = checked_balance(balance, "balance", bool(evals))
        target = _target_of(dtrain)
        _check_labels(evals, custom_metric, balance)
        given = _model_to_continue(xgb_model, settings)
        _params.check_update(settings, given, num_boost_round, checkpoint=file)
    rows = _rows_of_workers(loss, target, class_masses)
    advice = "Use a DMatrix without rows."
    require_same("evals", "of the same length", len(evals), advice)
    run = Run(given, num_boost_round)
    if file is not None:
        if given is not None:  # the file of the checkpoint has no learning rate
            config = _params.require_model_of(loss, given, "xgb_model")
            settings |= _params.kept_rate(settings, config)
        known = loss, settings, curvature, max_learning_rate, balance, class_masses
        training = training_of(*known, _model.digests_of(dtrain))
        run.resume(file, training, _model.checkpoint_in)
    if run.done > 0:
        settings.pop("base_score", None)  # the model's own, from the same settings
    plan = _params.make_plan(
        settings, loss, rows, run.model, curvature, max_learning_rate
    )
    if given is not None:
        known_loss = _model.provenance_of(given, "xgb_model")
        warn_of_another_loss(known_loss, loss, "xgb_model")
        warn_of_bins(dtrain)
    wanted = balance_to_make(balance, loss, curvature)
    sets = [dtrain, *(data_set for data_set, _ in evals)]
    keeper = _model.balancing(loss, wanted, sets, plan.objective.n_threads)
    own = [_model.saver(run, loss), keeper]  # the last: others may cut the model
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
        callbacks=[*_model.from_beginning(callbacks, run), *own],
        custom_metric=for_training(custom_metric or plan.metric, callbacks),
    )
    warn_of_fallback(plan.params.get("device"), booster)
    warn_of_no_split(_model.has_split(booster), loss)
    booster, before = keeper.balanced(booster, _params.is_update(settings))
    _model.set_provenance(booster, Provenance(loss, None, before))
    _model.save_checkpoint(run, run.last_note(), booster)
    return booster


def _stops_early(callbacks: Sequence[Any] | None) -> bool:
    """Whether a callback may end the training before its last round."""
    kind = import_host("xgboost").callback.EarlyStopping
    return any(isinstance(one, kind) for one in callbacks or ())


def _check_labels(
    evals: Sequence[tuple["xgboost.DMatrix", str]], metric: Any, balance: Balance
) -> None:
    """Check that evaluation sets have labels, which a metric may do without."""
    if metric is not None:
        evals = evals[-1:] if balance == "validation" else []
    for data_set, _ in evals:
        _target_of(data_set, "evals")


def _model_to_continue(
    xgb_model: Any, params: Mapping[str, Any]
) -> "xgboost.Booster | None":
    """The booster of a model. Training of new trees takes its balance back itself."""
    if xgb_model is None:
        return None
    is_update = _params.is_update(params)
    return (_model.booster_of if is_update else _model.in_balance)(xgb_model)


@_params.by_position
def cv(
    params: Mapping[str, Any] | Sequence[tuple[str, Any]],
    dtrain: "xgboost.DMatrix",
    num_boost_round: int = 10,
    *,
    nfold: int = 3,
    stratified: bool = False,
    folds: Any = None,
    metrics: str | Iterable[str] = (),
    obj: None = None,
    maximize: bool | None = None,
    early_stopping_rounds: int | None = None,
    fpreproc: Callable[..., Fold] | None = None,
    as_pandas: bool = True,
    verbose_eval: int | bool | None = None,
    show_stdv: bool = True,
    seed: int = 0,
    callbacks: Sequence[Any] | None = None,
    shuffle: bool = True,
    custom_metric: Callable[..., Any] | None = None,
    loss: Loss | None = None,
    curvature: Curvature = "certified",
    max_learning_rate: float | None = None,
    balance: Balance = True,
) -> Any:
    """Cross-validate XGBoost models with the focal loss.

    It is ``xgboost.cv`` with the objective of ``train``. Each fold starts from the
    baseline of its own training rows. The metric is the relative focal loss, unless
    ``metrics``, ``eval_metric`` or ``custom_metric`` names another. Do not choose gamma
    or alpha by it, as it is another loss for each of them: use ``metrics="aucpr"``.

    If positives are rare, pass ``stratified=True`` or ``folds``: XGBoost's own folds
    are random, and one of them may have hardly any positive.

    Parameters
    ----------
    params, dtrain, num_boost_round, nfold, stratified, folds, metrics, maximize, \
early_stopping_rounds, fpreproc, as_pandas, verbose_eval, show_stdv, seed, callbacks, \
shuffle : as in ``xgboost.cv``
        The host's own arguments.
    loss, curvature, max_learning_rate, obj, custom_metric : as in ``train``
        See ``focalboost.xgboost.train``.
    balance : bool or "validation", default=True
        Balance the model of each fold when training ends, as ``train`` does, over its
        training rows, or over the rows that it was validated on. The models are what a
        callback finds as ``model.cvfolds[i].bst``. Metrics are those before the
        balance.

    Returns
    -------
    DataFrame or dict of lists
        Mean and standard deviation over the folds of each metric, by round, up to the
        best round of an early stopping.

    Raises
    ------
    ValueError
        If a parameter contradicts the focal loss, and as in ``focal_objective``.

    Examples
    --------
    >>> import numpy as np, xgboost, focalboost.xgboost
    >>> from focalboost import FocalLoss
    >>> X = np.arange(200.0).reshape(-1, 1)
    >>> dtrain = xgboost.DMatrix(X, label=X[:, 0] >= 170)
    >>> history = focalboost.xgboost.cv(
    ...     {"max_depth": 2}, dtrain, 20, loss=FocalLoss(2), as_pandas=False
    ... )
    >>> list(history)[2]
    'test-relative_focal_loss-mean'
    >>> bool(history["test-relative_focal_loss-mean"][-1] < 0.5)
    True
    """
    settings = _as_dict(params)
    refuse_objective(obj)
    if maximize is None:
        _params.warn_of_score(custom_metric, callbacks)
    loss = checked_loss(loss, settings.get("num_class"), settings.get("objective"))
    balance = checked_balance(balance, "balance", has_validation=True)
    _params.check_update(settings, None, num_boost_round)
    _target_of(dtrain)
    if metrics:
        settings["eval_metric"] = as_list(metrics)
    plan = _params.make_plan(settings, loss, None, None, curvature, max_learning_rate)
    finisher = _finisher(plan, balance_to_make(balance, loss, curvature))
    return import_host("xgboost").cv(
        plan.params,
        dtrain,
        num_boost_round,
        nfold=nfold,
        stratified=stratified,
        folds=folds,
        obj=for_training(plan.objective, callbacks),
        maximize=maximize,
        early_stopping_rounds=early_stopping_rounds,
        fpreproc=_start_of_fold(plan, fpreproc),
        as_pandas=as_pandas,
        verbose_eval=verbose_eval,
        show_stdv=show_stdv,
        seed=seed,
        callbacks=[finisher, *(callbacks or ())],  # others may keep the boosters
        shuffle=shuffle,
        custom_metric=for_training(custom_metric or plan.metric, callbacks),
    )


def _start_of_fold(
    plan: _params.Plan, fpreproc: Callable[..., Fold] | None
) -> Callable[..., Fold]:
    """An fpreproc that sets the base_score of a fold, after the user's."""
    loss, curvature = plan.objective.loss, plan.objective.curvature
    limit = plan.objective.max_learning_rate

    def start(dtrain: Any, dtest: Any, params: dict[str, Any]) -> Fold:
        if fpreproc is not None:
            dtrain, dtest, params = fpreproc(dtrain, dtest, params)
        rows = _rows_of_workers(loss, _target_of(dtrain))
        of_fold = _params.make_plan(params, loss, rows, None, curvature, limit)
        return dtrain, dtest, of_fold.params

    return start


def _finisher(plan: _params.Plan, balance: Balance) -> Any:
    """A callback that makes boosters of folds models like those of ``train``."""
    loss, threads = plan.objective.loss, plan.objective.n_threads

    class Finisher(import_host("xgboost").callback.TrainingCallback):  # type: ignore[misc]
        def after_training(self, model: Any) -> Any:
            boosters = [fold.bst for fold in model.cvfolds]
            warn_of_fallback(plan.params.get("device"), boosters[0])
            warn_of_no_split(all(map(_model.has_split, boosters)), loss)
            for fold in model.cvfolds:
                before = shift = None
                rows = fold.dtest if balance == "validation" else fold.dtrain
                if balance:
                    shift = _model.shift_on(fold.bst, loss, rows, threads)
                if shift is not None:
                    before = _model.shift_base_score(fold.bst, loss, shift)
                    content = fold.bst.save_raw("ubj")
                    fold.bst.load_model(content)  # keeps no predictions
                _model.set_provenance(fold.bst, Provenance(loss, None, before))
            return model

    return Finisher()


def _target_of(data_set: Any, name: str = "dtrain") -> tuple[Any, Any]:
    """Labels and weights of a DMatrix with labels."""
    advice = "Use xgboost.DMatrix(X, label=y)."
    if not isinstance(data_set, import_host("xgboost").DMatrix):
        reject(name, "an xgboost.DMatrix", type(data_set).__name__, advice)
    labels = labels_of(data_set)
    if len(labels) == 0 and not (data_set.num_row() == 0 and n_workers() > 1):
        reject(name, "with labels", "none", advice)
    return labels, weights_of(data_set)


def _rows_of_workers(
    loss: Loss, target: tuple[Any, Any], class_masses: Any = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A row for each class, with the baseline of the rows of all workers."""
    own = over_workers(lambda: loss.class_masses(*target))
    masses = over_workers(lambda: checked_masses(class_masses, own))
    # The same on all workers, as a mean is.
    return rows_of_masses(loss, masses / n_workers())


def _as_dict(params: Mapping[str, Any] | Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Parameters as a dict; a list of pairs may name eval_metric more than once."""
    if isinstance(params, Mapping):
        return dict(params)
    metrics = [value for name, value in params if name == "eval_metric"]
    return {**dict(params), **({"eval_metric": metrics} if metrics else {})}


def warn_of_fallback(device: Any, booster: "xgboost.Booster") -> None:
    """Warn of a training on the CPU where a GPU was asked for."""
    if str(device or "cpu") == "cpu":
        return
    if _model.learner_of(booster)["generic_param"]["device"] == "cpu":
        message = f"XGBoost found no GPU and trained on the CPU; device was {device!r}."
        warn(message)


def warn_of_bins(dtrain: Any) -> None:
    """Warn that XGBoost reads the trees of a model on the bins of a data set."""
    kind = type(dtrain).__name__
    if "QuantileDMatrix" in kind:  # of one machine, of external memory, of Dask
        message = (
            f"XGBoost reads the trees of xgb_model on the bins of a {kind}, and "
            "misreads those of a model of other rows. Use a DMatrix without quantiles."
        )
        warn(message)
