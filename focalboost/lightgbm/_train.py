"""LightGBM's train with the focal loss, and the finalised model that it returns."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from focalboost._hosts._checkpoint import (
    Checkpoint,
    Run,
    Saves,
    checked_checkpoint,
    resumed,
    training_of,
)
from focalboost._hosts._imports import import_host, without_autologging
from focalboost._hosts._note import warn_of_another_loss
from focalboost._hosts._params import (
    Balance,
    as_list,
    balances,
    checked_balance,
    checked_loss,
    metrics_in,
    one_value,
    refuse_scikit_learn_metric,
    thread_setting,
    warn_of_no_split,
)
from focalboost._validation import reject
from focalboost.lightgbm._balance import Shift, watched
from focalboost.lightgbm._data_sets import (
    digests_of,
    init_score_of,
    parameters_of,
    require_arrays,
    require_data_set,
    starting_score,
)
from focalboost.lightgbm._model import (
    Saver,
    checkpoint_in,
    constant_model,
    continuable,
    earlier_balance_of,
    finalise_with_note,
    has_split,
    is_unbalanced,
    is_without_features,
    provenance_of,
    start_and_note,
    unbalanced,
)
from focalboost.lightgbm._params import (
    EARLY_STOPPING,
    NUM_CLASS,
    OBJECTIVE,
    make_plan,
    n_machines,
    rounds_apart,
)
from focalboost.losses import Loss
from focalboost.objectives import Curvature

if TYPE_CHECKING:
    from os import PathLike
    from pathlib import Path

    import lightgbm


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
        The largest learning rate of the training, if a callback changes it. Otherwise
        the one in ``params`` is taken, or 0.3 if that is larger.
    balance : bool or "validation", default=True
        Add the constant to the first trees, after the last round, with which the
        weighted sum of the posteriors is that of the labels: over the training rows,
        or over the last of ``valid_sets``. The ranking does not change. The log loss
        with the exact curvature is left as it is. On several machines it must be False.
    class_masses : (positive, negative) or array of shape (K,), optional
        The total weight of each class, for the baseline. By default it is that of the
        rows of ``train_set``. On several machines pass what
        ``loss.class_masses(y, sample_weight)`` returns for all rows, or the sum of what
        it returns for the rows of each machine.
    checkpoint : Checkpoint or path, optional
        A file to save the model to, and to continue from. A file of another training,
        as far as that is known, raises an error. Evaluations are those of the rounds
        since then.

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
    Continue with this function, and refit with ``focalboost.lightgbm.refit``. If a
    class has no row or no weight, the baseline counts it as 1e-6 of all weight, and
    balance does not move it.

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
    _refuse_training_booster(keep_training_booster)
    refuse_scikit_learn_metric("feval", feval, "(name, value, is_higher_better)")
    plan = make_plan(params, loss, feval, curvature, max_learning_rate)
    stops_early = _stops_early(plan.params, callbacks)
    file = checked_checkpoint(checkpoint, stops_early, n_machines(params))
    validation = as_list(valid_sets)
    require_data_set("train_set", train_set)
    for data_set in validation:
        require_data_set("valid_sets", data_set)
    others = [data_set for data_set in validation if data_set is not train_set]
    balance = checked_balance(balance, "balance", bool(others))
    if n_machines(plan.params) > 1:
        starts = init_model is None and init_score_of(train_set) is None
        if class_masses is None and starts:
            _refuse_masses_of_one_machine()
        _refuse_on_machines("balance", balances(balance, loss, curvature), False)
        require_arrays([train_set, *others])
    run = Run(None, 0, num_boost_round)
    if init_model is not None:
        run = run._replace(model=continuable(init_model, plan.params))
        known = provenance_of(run.model, "init_model")
        warn_of_another_loss(known, loss, "init_model")
    if file is not None:
        training = training_of(
            *(loss, params, curvature, max_learning_rate),
            *(balance, digests_of(train_set, plan.params)),
        )
        run = resumed(run._replace(checkpoint=file, training=training), checkpoint_in)
    wants_balance = balances(balance, loss, curvature)
    is_trained = run.done > 0 and run.left == 0
    if is_trained and not (wants_balance and is_unbalanced(run.model)):
        finished: lightgbm.Booster = run.model
        return finished
    if run.model is not None:
        run = run._replace(model=unbalanced(run.model))
    with (
        without_autologging("lightgbm"),
        starting_score(
            loss, plan.params, run.model, train_set, validation, class_masses
        ) as baseline,
    ):
        threads, shift = thread_setting(params), None
        if wants_balance:
            earlier = earlier_balance_of(run.model)
            only = run.model.current_iteration() if is_trained else None
            shift = Shift(balance, loss, threads, earlier, only=only)
        given = None if is_trained else callbacks
        settings, watching = watched(shift, plan.params, given)
        saver = None
        if file is not None and not is_trained:
            saver = Saver(Saves(run, file), loss, baseline, threads)
        try:
            booster: lightgbm.Booster = import_host("lightgbm").train(
                parameters_of(train_set, settings),
                train_set,
                1 if is_trained else run.left,
                valid_sets=validation or None,
                valid_names=valid_names,
                feval=metrics_in(feval) or plan.metric,
                init_model=run.model,
                keep_training_booster=True,
                callbacks=[*watching, *([saver] if saver else [])],
            )
        except import_host("lightgbm").basic.LightGBMError as error:
            if not is_without_features(error, params) or run.model is not None:
                raise
            booster = constant_model(plan.params, train_set)
    warn_of_no_split(has_split(booster), loss)
    start = start_and_note(baseline, loss, shift)
    booster = finalise_with_note(booster, *start)
    if saver is not None:
        saver.save_last(booster)
    return booster


def _stops_early(params: Mapping[str, Any], callbacks: Any) -> bool:
    kind = type(import_host("lightgbm").early_stopping(1))
    named = one_value(params, EARLY_STOPPING)
    return bool(named) or any(isinstance(one, kind) for one in callbacks or ())


def _refuse_masses_of_one_machine() -> None:
    reject(
        "class_masses",
        "the total weight of each class on all machines",
        None,
        "Add up loss.class_masses(y, sample_weight) of the rows of each machine, and "
        "pass class_masses=total, balance=False.",
    )


def _refuse_on_machines(name: str, value: Any, allowed: Any) -> None:
    """Reject what machines that cannot exchange a sum would each do their own way."""
    if value is not allowed:
        reject(
            name,
            f"{allowed} on several machines",
            value,
            f"Each machine would end with another model. Pass {name}={allowed}, or use "
            "focalboost.distributed.lightgbm.train.",
        )


def _refuse_training_booster(keep_training_booster: bool) -> None:
    if keep_training_booster:
        reject(
            "keep_training_booster",
            "False",
            keep_training_booster,
            "The returned model has its baseline in its trees; train it further with "
            "init_model.",
        )
