"""LightGBM's train and cv with the focal loss."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from os import PathLike
from typing import TYPE_CHECKING, Any

from focalboost._hosts._checkpoint import (
    Checkpoint,
    Run,
    checked_checkpoint,
    training_of,
)
from focalboost._hosts._imports import import_host, without_autologging
from focalboost._hosts._params import (
    Balance,
    as_list,
    balance_to_make,
    checked_balance,
    metrics_in,
    warn_of_no_split,
)
from focalboost._validation import reject
from focalboost.lightgbm import _data_sets, _model, _params
from focalboost.lightgbm._data_sets import Baseline
from focalboost.losses import Loss
from focalboost.objectives import Curvature, FocalObjective

if TYPE_CHECKING:
    from pathlib import Path

    import lightgbm

#: What LightGBM's fpreproc takes and returns: both data sets of a fold, and parameters.
Fold = tuple["lightgbm.Dataset", "lightgbm.Dataset", dict[str, Any]]


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
    balance: Balance = True,
    class_masses: Any = None,
    checkpoint: "Checkpoint | str | PathLike[str] | None" = None,
) -> "lightgbm.Booster":
    """Train a LightGBM model with the focal loss.

    It is ``lightgbm.train`` with the objective, the baseline as ``init_score`` of
    every data set that has none, and the relative focal loss as metric, unless
    ``metric`` or ``feval`` names another. The returned booster is a plain LightGBM
    model with the baseline in its first trees: ``predict`` gives ``expit`` of the raw
    prediction, or the softmax, without focalboost.
    ``loss.posterior(booster.predict(X, raw_score=True))`` is the probability.

    On several ``machines`` pass ``class_masses`` and ``balance=False``: LightGBM has no
    sum over the machines. Every machine evaluates its own ``valid_sets``. Pass the same
    rows on all of them, so that all stop in the same round.

    Parameters
    ----------
    params, train_set, num_boost_round, valid_sets, valid_names, callbacks : as in \
``lightgbm.train``
        The host's own arguments. Metrics of the rounds are those before the balance. A
        train set with an ``init_score`` of its own starts from there, which then has to
        be added to predictions, as with LightGBM.
    feval : callable or list of callables, optional
        Metrics instead of the relative focal loss. They get raw predictions.
    init_model : Booster, estimator or path, optional
        A model to continue from. Training starts from its raw predictions. A model of
        another gamma or alpha, or of the host's own log loss, raises a warning. Load
        only files that you trust.
    keep_training_booster : bool, default=False
        Has to be False, because a finalised model cannot be trained in place. Continue
        with ``init_model``.
    loss : FocalLoss or SoftmaxFocalLoss, optional
        The loss, with gamma and alpha; by default that of gamma 2, and of the softmax
        where ``params`` has a ``num_class`` above 2.
    curvature : {"certified", "exact"}, default="certified"
        As in ``focal_objective``.
    max_learning_rate : float, optional
        The largest learning rate that a callback sets. By default it is the one in
        ``params``, or 0.3 if that is larger.
    balance : bool or "validation", default=True
        Add the constant to the first trees, after the last round, with which the
        weighted sum of the posteriors is that of the labels: over the training rows,
        or over the last of ``valid_sets``. The ranking does not change. The log loss
        with the exact curvature is left as it is. On several machines it must be False.
    class_masses : (positive, negative) or array of shape (K,), optional
        The total weight of each class, for the baseline. By default it is that of the
        rows of ``train_set``. On several machines pass the sum of what
        ``loss.class_masses(y, sample_weight)`` returns on each.
    checkpoint : Checkpoint or path, optional
        A file to save the model to, and to continue from; see ``Checkpoint``.
        Evaluations are those of the rounds since then.

    Returns
    -------
    lightgbm.Booster
        The plain, finalised model, which predicts without focalboost.

    Raises
    ------
    ValueError
        If a parameter contradicts the focal loss, and as in ``focal_objective``.

    Notes
    -----
    The model names LightGBM's own log loss. So ``Booster.refit`` of a saved model, and
    ``lightgbm.train`` with this model as ``init_model`` and ``objective="binary"``,
    train log loss on focal scores, and their probabilities are several times too small.
    Continue with this function, and refit with ``focalboost.lightgbm.refit``. A class
    without weight counts as 1e-6 of all weight in the baseline, and balance does not
    move it.

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
    params, num_boost_round = _params.rounds_apart(params, num_boost_round)
    if keep_training_booster:
        advice = "Its baseline is in its trees: train it further with init_model."
        reject("keep_training_booster", "False", keep_training_booster, advice)
    plan = _params.make_plan(params, loss, feval, curvature, max_learning_rate)
    loss = plan.objective.loss
    stops = _params.stops_early(plan.params, callbacks)
    file = checked_checkpoint(checkpoint, stops, _params.n_machines(plan.params))
    validation = as_list(valid_sets)
    _data_sets.require_data_set("train_set", train_set)
    for data_set in validation:
        _data_sets.require_data_set("valid_sets", data_set)
    sets = [train_set, *(each for each in validation if each is not train_set)]
    balance = checked_balance(balance, "balance", bool(validation))
    if balance == "validation" and validation[-1] is train_set:
        balance = True
    wanted = balance_to_make(balance, loss, curvature)
    if _params.n_machines(plan.params) > 1:
        _check_machines(sets, init_model, wanted, class_masses)
    given = _model.model_to_continue(init_model, loss)
    if given is not None:
        _data_sets.fit_to_model(train_set, given)
    run = Run(given, num_boost_round)
    if file is not None:
        settings = loss, params, curvature, max_learning_rate, balance, class_masses
        digests = _data_sets.digests_of(train_set, plan.params)
        run.resume(file, training_of(*settings, digests), _model.checkpoint_in)
    if _model.is_complete(run, wanted):
        model: lightgbm.Booster = run.model
        return model
    if run.done > 0:
        _model.take_up(run)
    shift = _model.balancing(wanted, plan.objective, run.model)
    with_params, watching = _data_sets.watched(shift, plan.params, callbacks, run.done)
    start = _data_sets.starting_score(loss, plan.params, run.model, sets, class_masses)
    explained = _model.errors_explained(params)
    with without_autologging("lightgbm"), start as baseline, explained:
        saver = _model.Saver(run, loss, baseline, plan.objective.n_threads)
        booster: lightgbm.Booster = import_host("lightgbm").train(
            _data_sets.parameters_of(train_set, with_params),
            train_set,
            run.left,
            valid_sets=validation or None,
            valid_names=valid_names,
            feval=metrics_in(feval) or plan.metric,
            init_model=run.model,
            keep_training_booster=True,
            callbacks=[*watching, saver],
        )
    warn_of_no_split(_model.has_split(booster), loss)
    _model.finished(booster, baseline, loss, None if shift is None else shift.value())
    saver.save_last(booster)
    return booster


def _check_machines(
    data_sets: list["lightgbm.Dataset"],
    init_model: Any,
    balance: Balance,
    class_masses: Any,
) -> None:
    """Check that a training needs no sum over its machines, of which there is none."""
    starts = init_model, _data_sets.init_score_of(data_sets[0]), class_masses
    if all(start is None for start in starts):
        rule = "the total weight of each class on all machines"
        advice = (
            "Add up loss.class_masses(y, sample_weight) of the rows of each machine, "
            "and pass class_masses=total, balance=False."
        )
        reject("class_masses", rule, None, advice)
    if balance:
        advice = (
            "Each machine would end with another model. Pass balance=False, or use "
            "focalboost.distributed.lightgbm.train."
        )
        reject("balance", "False on several machines", balance, advice)
    for data in (data_set.data for data_set in data_sets):
        if isinstance(data, str | PathLike):  # they bin it once they are connected
            rule = "of arrays or tables on several machines"
            advice = "Read the file, and use lightgbm.Dataset(X, label=y)."
            reject("train_set and valid_sets", rule, str(data), advice)


def cv(
    params: Mapping[str, Any],
    train_set: "lightgbm.Dataset",
    num_boost_round: int = 100,
    folds: Any = None,
    nfold: int = 5,
    stratified: bool = True,
    shuffle: bool = True,
    metrics: str | list[str] | None = None,
    feval: Callable[..., Any] | Sequence[Callable[..., Any]] | None = None,
    init_model: "str | Path | lightgbm.Booster | None" = None,
    fpreproc: Callable[..., Fold] | None = None,
    seed: int = 0,
    callbacks: Sequence[Callable[..., Any]] | None = None,
    eval_train_metric: bool = False,
    return_cvbooster: bool = False,
    *,
    loss: Loss | None = None,
    curvature: Curvature = "certified",
    max_learning_rate: float | None = None,
    balance: Balance = True,
) -> dict[str, Any]:
    """Cross-validate LightGBM models with the focal loss.

    It is ``lightgbm.cv`` with the objective of ``train``. Each fold starts from the
    baseline of its own training rows. The metric is the relative focal loss, unless
    ``metrics``, ``metric`` or ``feval`` names another. Do not choose gamma or alpha by
    it, as it is another loss for each of them: use ``metrics="average_precision"``.

    Parameters
    ----------
    params, train_set, num_boost_round, folds, nfold, stratified, shuffle, metrics, \
fpreproc, seed, callbacks, eval_train_metric, return_cvbooster : as in ``lightgbm.cv``
        The host's own arguments.
    feval, init_model, loss, curvature, max_learning_rate : as in ``train``
        See ``focalboost.lightgbm.train``.
    balance : bool or "validation", default=True
        Balance the model of each fold when training ends, as ``train`` does, over its
        training rows, or over the rows that it was validated on. Metrics are those
        before the balance.

    Returns
    -------
    dict
        Mean and standard deviation over the folds of each metric, by round, up to the
        best round of an early stopping. With ``return_cvbooster=True`` the entry
        "cvbooster" holds the models of the folds. They have their baselines in their
        trees and predict on their own, as those of ``train`` do. With ``init_model``
        the best iteration counts its rounds, as ``predict`` does.

    Raises
    ------
    ValueError
        If a parameter contradicts the focal loss, and as in ``focal_objective``.

    Notes
    -----
    Optuna's ``LightGBMTunerCV`` calls ``lightgbm.cv`` itself. The guide on Optuna shows
    how to give it the objective and the baseline of each fold.

    Examples
    --------
    >>> import lightgbm, numpy as np, focalboost.lightgbm
    >>> from focalboost import FocalLoss
    >>> X = np.arange(400.0).reshape(-1, 1)
    >>> train_set = lightgbm.Dataset(X, label=X[:, 0] >= 340)
    >>> history = focalboost.lightgbm.cv(
    ...     {"verbosity": -1}, train_set, 20, loss=FocalLoss(gamma=2)
    ... )
    >>> list(history)
    ['valid relative_focal_loss-mean', 'valid relative_focal_loss-stdv']
    >>> history["valid relative_focal_loss-mean"][-1] < 0.5
    True
    """
    params, num_boost_round = _params.rounds_apart(params, num_boost_round)
    if metrics is not None:
        params = {name: params[name] for name in params if name not in _params.METRIC}
        params["metric"] = metrics
    plan = _params.make_plan(params, loss, feval, curvature, max_learning_rate)
    loss = plan.objective.loss
    _data_sets.require_data_set("train_set", train_set)
    balance = checked_balance(balance, "balance", has_validation=True)
    if _params.n_machines(params) > 1:
        advice = "LightGBM would connect the machines anew for each fold."
        reject("num_machines", "1 for cv", _params.n_machines(params), advice)
    model = _model.model_to_continue(init_model, loss)
    if model is not None:
        _data_sets.fit_to_model(train_set, model)
    wanted = balance_to_make(balance, loss, curvature)
    baselines = list[Baseline]()
    with ExitStack() as stack, _model.errors_explained(params):
        if model is None:
            _data_sets.forget_model(train_set)
        else:
            no_score = _data_sets.starting_score(loss, plan.params, model, [train_set])
            stack.enter_context(no_score)
        history: dict[str, Any] = import_host("lightgbm").cv(
            _data_sets.parameters_of(train_set, plan.params),
            train_set,
            num_boost_round,
            folds=folds,
            nfold=nfold,
            stratified=stratified,
            shuffle=shuffle,
            feval=metrics_in(feval) or plan.metric,
            init_model=model,
            fpreproc=_start_of_fold(plan, fpreproc, model is None, baselines, stack),
            seed=seed,
            callbacks=[_data_sets.KeepParameters(), *(callbacks or ())],
            eval_train_metric=eval_train_metric,
            return_cvbooster=True,
        )
        models = history["cvbooster"]
        warn_of_no_split(all(map(_model.has_split, models.boosters)), loss)
        _finish_folds(models, baselines, plan.objective, wanted, model)
    if not return_cvbooster:
        del history["cvbooster"]
    return history


def _start_of_fold(
    plan: _params.Plan,
    fpreproc: Callable[..., Fold] | None,
    is_first: bool,
    baselines: list[Baseline],
    stack: ExitStack,
) -> Callable[..., Fold]:
    """An fpreproc that sets and notes the baseline of a fold, after the user's.

    It is 0 where a model continues. At the end the data sets are as they were.
    """
    own = plan.objective

    def start(train_set: Any, valid_set: Any, params: dict[str, Any]) -> Fold:
        if fpreproc is not None:
            train_set, valid_set, given = fpreproc(train_set, valid_set, params)
            # LightGBM has the objective already.
            others = {k: v for k, v in given.items() if k not in _params.OBJECTIVE}
            limit = own.max_learning_rate
            checked = _params.make_plan(others, own.loss, None, own.curvature, limit)
            params = {**checked.params, "objective": "none"}
        baseline: Baseline = 0.0
        if is_first:
            sets = [train_set, valid_set]
            score = _data_sets.starting_score(own.loss, params, None, sets)
            baseline = stack.enter_context(score)
        baselines.append(baseline)
        return train_set, valid_set, params

    return start


def _finish_folds(
    models: "lightgbm.CVBooster",
    baselines: list[Baseline],
    objective: FocalObjective,
    balance: Balance,
    model: "lightgbm.Booster | None",
) -> None:
    """Make the boosters of folds models, which keep the rounds after the best one."""
    if models.best_iteration > 0 and model is not None:
        models.best_iteration += model.current_iteration()
    best = models.best_iteration
    for booster, baseline in zip(models.boosters, baselines, strict=True):
        text, added = booster.model_to_string(num_iteration=-1), None
        shift = _model.balancing(balance, objective, model)
        if shift is not None:
            shift.keep(booster, best if best > 0 else None)
            added = shift.value()
        booster.free_dataset()
        booster.model_from_string(text)
        booster.best_iteration = best
        _model.finished(booster, baseline, objective.loss, added)
