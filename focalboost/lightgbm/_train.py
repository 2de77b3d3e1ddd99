"""LightGBM's train, cv and refit with the focal loss."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from focalboost._hosts._checkpoint import (
    Checkpoint,
    Run,
    checked_checkpoint,
    training_of,
)
from focalboost._hosts._imports import import_host, without_autologging
from focalboost._hosts._note import Provenance, note_of, warn_of_another_loss
from focalboost._hosts._params import (
    Balance,
    as_list,
    balances,
    checked_balance,
    checked_loss,
    learning_rate_bound,
    metrics_in,
    one_value,
    thread_setting,
    warn_of_no_split,
)
from focalboost._validation import codes_of, reject, require_weights_of_hosts
from focalboost.lightgbm._data_sets import (
    Baseline,
    Shift,
    digests_of,
    forget_model,
    init_score_of,
    parameters_of,
    require_arrays,
    require_data_set,
    starting_score,
    watched,
)
from focalboost.lightgbm._model import (
    Saver,
    booster_of,
    booster_of_text,
    checkpoint_in,
    constant_model,
    continuable,
    earlier_balance_of,
    finalise_with_note,
    has_split,
    is_unbalanced,
    is_without_features,
    provenance_in,
    provenance_of,
    start_and_note,
    unbalanced,
)
from focalboost.lightgbm._params import (
    DEFAULT_LEARNING_RATE,
    EARLY_STOPPING,
    LEARNING_RATE,
    METRIC,
    NUM_CLASS,
    OBJECTIVE,
    Plan,
    make_plan,
    n_machines,
    rounds_apart,
)
from focalboost.lightgbm._text import (
    leaves_of,
    parameters_in,
    shifted_text,
    with_leaves,
    with_note,
)
from focalboost.losses import FocalLoss, Loss
from focalboost.losses._balance import Part, balancing_shift_of_parts
from focalboost.objectives import Curvature, FocalObjective

if TYPE_CHECKING:
    from os import PathLike
    from pathlib import Path

    import lightgbm

#: The parameters of a step of refit, with LightGBM's defaults.
_STEP = {
    "learning_rate": DEFAULT_LEARNING_RATE,
    "lambda_l1": 0.0,
    "lambda_l2": 0.0,
    "max_delta_step": 0.0,  # any step
    "min_sum_hessian_in_leaf": 1e-3,
}

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
    loss = checked_loss(
        loss, one_value(params, NUM_CLASS), one_value(params, OBJECTIVE)
    )
    if keep_training_booster:
        advice = "The returned model has its baseline in its trees; train it further "
        name = "keep_training_booster"
        reject(name, "False", keep_training_booster, f"{advice}with init_model.")
    plan = make_plan(params, loss, feval, curvature, max_learning_rate)
    kind = type(import_host("lightgbm").early_stopping(1))
    stops_early = any(isinstance(one, kind) for one in callbacks or ())
    stops_early = stops_early or bool(one_value(plan.params, EARLY_STOPPING))
    file = checked_checkpoint(checkpoint, stops_early, n_machines(plan.params))
    validation = as_list(valid_sets)
    require_data_set("train_set", train_set)
    for data_set in validation:
        require_data_set("valid_sets", data_set)
    others = [data_set for data_set in validation if data_set is not train_set]
    balance = checked_balance(balance, "balance", bool(others))
    wants_balance = balances(balance, loss, curvature)
    if n_machines(plan.params) > 1:  # they cannot exchange a sum
        starts = init_model is None and init_score_of(train_set) is None
        if starts and class_masses is None:
            rule = "the total weight of each class on all machines"
            advice = (
                "Add up loss.class_masses(y, sample_weight) of the rows of each "
                "machine, and pass class_masses=total, balance=False."
            )
            reject("class_masses", rule, None, advice)
        if wants_balance:
            advice = (
                "Each machine would end with another model. Pass balance=False, or use "
                "focalboost.distributed.lightgbm.train."
            )
            reject("balance", "False on several machines", balance, advice)
        require_arrays([train_set, *others])
    model = None
    if init_model is not None:
        model = continuable(init_model, plan.params)
        known = provenance_of(model, "init_model")
        warn_of_another_loss(known, loss, "init_model")
    run = Run(model, num_boost_round)
    if file is not None:
        settings = loss, params, curvature, max_learning_rate, balance
        training = training_of(*settings, digests_of(train_set, plan.params))
        run.resume(file, training, checkpoint_in)
    is_trained = run.done > 0 and run.left == 0
    if is_trained and not (wants_balance and is_unbalanced(run.model)):
        finished: lightgbm.Booster = run.model
        return finished
    model = None if run.model is None else unbalanced(run.model)
    threads, shift, saver = thread_setting(params), None, None
    if wants_balance:
        only = run.model.current_iteration() if is_trained else None
        shift = Shift(balance, loss, threads, earlier_balance_of(model), only=only)
    given = None if is_trained else callbacks
    with_params, watching = watched(shift, plan.params, given)
    start = starting_score(
        loss, plan.params, model, train_set, validation, class_masses
    )
    with without_autologging("lightgbm"), start as baseline:
        if file is not None and not is_trained:
            saver = Saver(run, loss, baseline, threads)
            watching.append(saver)
        try:
            booster: lightgbm.Booster = import_host("lightgbm").train(
                parameters_of(train_set, with_params),
                train_set,
                1 if is_trained else run.left,
                valid_sets=validation or None,
                valid_names=valid_names,
                feval=metrics_in(feval) or plan.metric,
                init_model=model,
                keep_training_booster=True,
                callbacks=watching,
            )
        except import_host("lightgbm").basic.LightGBMError as error:
            if not is_without_features(error, params) or model is not None:
                raise
            booster = constant_model(plan.params, train_set)
    warn_of_no_split(has_split(booster), loss)
    booster = finalise_with_note(booster, *start_and_note(baseline, loss, shift))
    if saver is not None:
        saver.save_last(booster)
    return booster


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
    params, num_boost_round = rounds_apart(params, num_boost_round)
    if metrics is not None:
        params = {name: params[name] for name in params if name not in METRIC}
        params["metric"] = metrics
    loss = checked_loss(
        loss, one_value(params, NUM_CLASS), one_value(params, OBJECTIVE)
    )
    plan = make_plan(params, loss, feval, curvature, max_learning_rate)
    require_data_set("train_set", train_set)
    balance = checked_balance(balance, "balance", has_validation=True)
    if n_machines(params) > 1:
        advice = "LightGBM would connect the machines anew for each fold."
        reject("num_machines", "1 for cv", n_machines(params), advice)
    model = None
    if init_model is not None:
        given = continuable(init_model, plan.params)
        warn_of_another_loss(provenance_of(given, "init_model"), loss, "init_model")
        model = unbalanced(given)
    with ExitStack() as stack:
        start, baselines = _start_of_folds(plan, fpreproc, model, stack)
        if model is None:
            forget_model(train_set)
        else:
            of_model = starting_score(loss, plan.params, model, train_set, [])
            stack.enter_context(of_model)
        try:
            history: dict[str, Any] = import_host("lightgbm").cv(
                parameters_of(train_set, plan.params),
                train_set,
                num_boost_round,
                folds=folds,
                nfold=nfold,
                stratified=stratified,
                shuffle=shuffle,
                feval=metrics_in(feval) or plan.metric,
                init_model=model,
                fpreproc=start,
                seed=seed,
                callbacks=None if callbacks is None else list(callbacks),
                eval_train_metric=eval_train_metric,
                return_cvbooster=True,
            )
        except import_host("lightgbm").basic.LightGBMError as error:
            if not is_without_features(error, params):
                raise
            advice = "Check that its features are not constant."
            reject("train_set", "with a feature that can be split", "none", advice)
        models = history["cvbooster"]
        if models.best_iteration > 0 and model is not None:
            models.best_iteration += model.current_iteration()
        warn_of_no_split(all(map(has_split, models.boosters)), loss)
        best = models.best_iteration
        for booster, baseline in zip(models.boosters, baselines, strict=True):
            # The models keep the rounds after the best one.
            text, shift = booster.model_to_string(num_iteration=-1), None
            if balances(balance, loss, curvature):
                earlier = earlier_balance_of(model)
                shift = Shift(balance, loss, thread_setting(params), earlier)
                shift.keep(booster, best if best > 0 else None)
            booster.free_dataset()
            booster.model_from_string(text)
            booster.best_iteration = best
            finalise_with_note(booster, *start_and_note(baseline, loss, shift))
    if not return_cvbooster:
        del history["cvbooster"]
    return history


def _start_of_folds(
    plan: Plan,
    fpreproc: Callable[..., Fold] | None,
    model: "lightgbm.Booster | None",
    stack: ExitStack,
) -> tuple[Callable[..., Fold], list[Baseline]]:
    """An fpreproc that sets the baseline of a fold, after the user's; the baselines."""
    objective, baselines = plan.params["objective"], list[Baseline]()

    def start(train_set: Any, valid_set: Any, params: dict[str, Any]) -> Fold:
        if fpreproc is not None:
            train_set, valid_set, given = fpreproc(train_set, valid_set, params)
            # LightGBM has the objective already.
            others = {name: given[name] for name in given if name not in OBJECTIVE}
            limit = objective.max_learning_rate
            checked = make_plan(
                others, objective.loss, None, objective.curvature, limit
            )
            params = {**checked.params, "objective": "none"}
        baseline: Baseline = 0.0
        if model is None:  # its raw predictions are the start otherwise
            score = starting_score(objective.loss, params, None, train_set, [valid_set])
            baseline = stack.enter_context(score)
        baselines.append(baseline)
        return train_set, valid_set, params

    return start, baselines


def refit(
    booster: "lightgbm.Booster | lightgbm.LGBMModel | str | PathLike[str]",
    X: Any,
    y: Any,
    *,
    loss: Loss | None = None,
    decay_rate: float = 0.9,
    weight: Any = None,
    curvature: Curvature = "certified",
    balance: bool = True,
) -> "lightgbm.Booster":
    """Refit the leaves of a LightGBM model to new data, with the focal loss.

    The trees keep their splits. Tree by tree, every leaf gets the value

        decay_rate * old + (1 - decay_rate) * new,
        new = -shrinkage * G / (C + lambda_l2),

    where G and C sum the focal gradient and curvature of its rows, at the raw
    predictions of the trees before it. The first trees contain the baseline, so the
    baseline of the new data is mixed in the same way: their ``new`` has it added, and
    their G and C are those at that baseline.

    LightGBM's own ``Booster.refit`` takes steps of the log loss. A focal model that is
    refitted with it predicts probabilities that are several times too small.

    Parameters
    ----------
    booster : lightgbm.Booster, FocalLGBMClassifier or path
        A finalised model of ``focalboost.lightgbm``, or an estimator. It stays as it
        is. Load only files that you trust.
    X : array-like of shape (n, n_features)
        The new features, in any form that ``booster.predict`` takes.
    y : array of shape (n,)
        The new labels: those that an estimator was trained on, or else 0 to K - 1. Some
        classes may be missing.
    loss : FocalLoss or SoftmaxFocalLoss, optional
        The loss. By default it is the one that the model was trained with.
    decay_rate : float, default=0.9
        The share of the old values, from 0 to 1. At 0 all leaf values are new. At 1
        the result is a copy of the model.
    weight : array of shape (n,), optional
        Weights of the rows.
    curvature : {"certified", "exact"}, default="certified"
        As in ``focal_objective``.
    balance : bool, default=True
        Balance the new model on the new data, as ``train`` does.

    Returns
    -------
    lightgbm.Booster
        The new model. It has the rounds that predictions of the old one use.

    Raises
    ------
    ValueError
        If the model has linear trees, or says no loss and none is given; and as in
        ``train``.

    Notes
    -----
    ``lambda_l1``, ``lambda_l2``, ``max_delta_step`` and ``min_sum_hessian_in_leaf``
    are those of the training. A leaf with a smaller sum of curvatures, or without rows,
    takes no step: its ``new`` is 0 (or the baseline). ``path_smooth`` and monotone
    constraints do not count, as in LightGBM's own refit.

    Examples
    --------
    >>> import lightgbm, numpy as np, focalboost.lightgbm
    >>> X = np.arange(400.0).reshape(-1, 1)
    >>> train_set = lightgbm.Dataset(X, label=X[:, 0] >= 340)
    >>> booster = focalboost.lightgbm.train({"verbosity": -1}, train_set, 50)
    >>> y_new = X[:, 0] >= 380
    >>> new = focalboost.lightgbm.refit(booster, X, y_new, decay_rate=0.5)
    >>> new.num_trees()
    50
    """
    balance = bool(checked_balance(balance, "balance", False))
    if not 0 <= decay_rate <= 1:
        advice = "Use decay_rate=0.9, as LightGBM does."
        reject("decay_rate", "a number from 0 to 1", decay_rate, advice)
    given = booster_of(booster, "booster")
    text = given.model_to_string()
    known = provenance_in(text, "booster")
    if known is None and loss is None:
        rule = "a FocalLoss or a SoftmaxFocalLoss for this model, which has no note of"
        advice = "Use loss=FocalLoss(gamma=2), with the gamma of its training."
        reject("loss", f"{rule} it", loss, advice)
    loss = known.loss if known and loss is None else checked_loss(loss, None)
    known = known or Provenance(loss, None)
    n_scores = 1 if isinstance(loss, FocalLoss) else loss.n_classes
    continuable(given, {"num_class": n_scores}, "booster")
    if "\nleaf_const=" in text:
        advice = "Train it without linear_tree."
        reject("booster", "a model whose leaves are constants", "linear_tree", advice)
    if decay_rate == 1:
        return booster_of_text(text, "booster")
    if known.unbalanced is not None:
        text = shifted_text(text, -np.asarray(known.unbalanced))
    labels = np.ravel(y)
    if known.classes is not None:
        labels = codes_of(labels, known.classes)
    if weight is not None:
        require_weights_of_hosts(weight)
    params = parameters_in(text)
    objective = FocalObjective(
        loss,
        curvature,
        learning_rate_bound(params, LEARNING_RATE, DEFAULT_LEARNING_RATE, None),
        checks_start=False,
        n_threads=thread_setting(params),
    )
    step = {name: float(params.get(name, _STEP[name])) for name in _STEP}
    leaf = np.asarray(given.predict(X, pred_leaf=True), np.intp)
    leaf = leaf.reshape(len(labels), -1)
    rows = Part(labels, None, weight)
    values, raw = _refitted(leaves_of(text), leaf, rows, objective, step, decay_rate)
    text = with_leaves(text, values)
    shift = None
    if balances(balance, loss, curvature):
        part, earlier = rows._replace(raw_prediction=raw), known.unbalanced or 0.0
        shift = balancing_shift_of_parts(loss, lambda f: f(part), earlier).tolist()
        text = shifted_text(text, np.asarray(shift))
    note = note_of(Provenance(loss, known.classes, shift))
    return booster_of_text(with_note(text, note), "booster")


def _refitted(
    trees: list[tuple[NDArray[np.float64], float]],
    leaf: NDArray[np.intp],
    rows: Part,
    objective: FocalObjective,
    step: dict[str, float],
    decay_rate: float,
) -> tuple[list[NDArray[np.float64]], NDArray[np.float64]]:
    """The new values of all leaves, and the raw predictions of the new model."""
    y_true, weight = rows.y_true, rows.sample_weight
    start = np.atleast_1d(objective.loss.baseline(y_true, weight))
    n_scores, values = len(start), list[NDArray[np.float64]]()
    raw = np.tile(start, (len(y_true), 1))
    for first in range(0, len(trees), n_scores):
        flat = raw if n_scores > 1 else raw[:, 0]
        sums = objective(y_true, flat, weight)
        if first == 0:
            raw = np.zeros_like(raw)  # the new first trees contain the baseline
        for k, (old, shrinkage) in enumerate(trees[first : first + n_scores]):
            of_tree, base = leaf[:, first + k], 0.0
            slope, bend = (
                np.bincount(of_tree, part.reshape(raw.shape)[:, k], len(old))
                for part in sums
            )
            if first == 0:
                base = start[k]
                # LightGBM notes a shrinkage of 1 where a baseline is added.
                shrinkage = step["learning_rate"] if shrinkage == 1 else shrinkage
            new = base + shrinkage * _steps(slope, bend, step)
            values.append(decay_rate * old + (1 - decay_rate) * new)
            raw[:, k] += values[-1][of_tree]
    return values, raw if n_scores > 1 else raw[:, 0]


def _steps(
    slope: NDArray[np.float64], bend: NDArray[np.float64], step: dict[str, float]
) -> NDArray[np.float64]:
    """The steps of leaves before shrinkage, from their sums."""
    size = np.maximum(np.abs(slope) - step["lambda_l1"], 0)
    total = bend + step["lambda_l2"]
    counts = (bend >= step["min_sum_hessian_in_leaf"]) & (total > 0)
    sizes = np.divide(size, total, where=counts, out=np.zeros(len(slope)))
    limit = step["max_delta_step"] or np.inf
    return np.asarray(np.clip(-np.sign(slope) * sizes, -limit, limit))
