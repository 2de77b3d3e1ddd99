"""LightGBM's cross-validation with the focal loss: each fold has its own baseline."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from focalboost._hosts._imports import import_host
from focalboost._hosts._note import warn_of_another_loss
from focalboost._hosts._params import (
    Balance,
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
from focalboost.lightgbm._balance import Shift
from focalboost.lightgbm._data_sets import (
    Baseline,
    forget_model,
    parameters_of,
    require_data_set,
    starting_score,
)
from focalboost.lightgbm._model import (
    continuable,
    earlier_balance_of,
    finalise_with_note,
    has_split,
    is_without_features,
    provenance_of,
    start_and_note,
    unbalanced,
)
from focalboost.lightgbm._params import (
    METRIC,
    NUM_CLASS,
    OBJECTIVE,
    Plan,
    make_plan,
    n_machines,
    rounds_apart,
)
from focalboost.losses import Loss
from focalboost.objectives import Curvature

if TYPE_CHECKING:
    from pathlib import Path

    import lightgbm

#: What LightGBM's fpreproc takes and returns: both data sets of a fold, and parameters.
Fold = tuple["lightgbm.Dataset", "lightgbm.Dataset", dict[str, Any]]


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
    Optuna's ``LightGBMTunerCV`` calls ``lightgbm.cv`` itself. Give it the objective, a
    ``metric`` of the ranking, and the baseline of each fold as ``fpreproc``::

        def start(train_set, valid_set, params):
            labels = train_set.construct().get_label()
            baseline = loss.baseline(labels, train_set.get_weight())
            for rows in (train_set, valid_set.construct()):
                rows.set_init_score(np.full(rows.num_data(), baseline))
            return train_set, valid_set, params

        params = {"objective": focal_objective(2), "metric": "average_precision"}
        tuner = LightGBMTunerCV(params, train_set, fpreproc=start)

    Then train with ``tuner.best_params`` without its ``objective``.

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
    refuse_scikit_learn_metric("feval", feval, "(name, value, is_higher_better)")
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
        folds_started = _StartOfFolds(plan, fpreproc, model, stack)
        if model is None:
            forget_model(train_set)
        else:
            start = starting_score(loss, plan.params, model, train_set, [])
            stack.enter_context(start)
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
                fpreproc=folds_started,
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
        for booster, baseline in zip(
            models.boosters, folds_started.baselines, strict=True
        ):
            shift = None
            if balances(balance, loss, curvature):
                earlier = earlier_balance_of(model)
                shift = Shift(balance, loss, thread_setting(params), earlier)
            _finish(booster, loss, baseline, shift, models.best_iteration)
    if not return_cvbooster:
        del history["cvbooster"]
    return history


class _StartOfFolds:
    """An fpreproc that sets the baseline of a fold, after the user's."""

    def __init__(
        self,
        plan: Plan,
        fpreproc: Callable[..., Fold] | None,
        model: "lightgbm.Booster | None",
        stack: ExitStack,
    ) -> None:
        self.baselines: list[Baseline] = []
        self._plan, self._fpreproc = plan, fpreproc
        self._model, self._stack = model, stack

    def __call__(self, train_set: Any, valid_set: Any, params: dict[str, Any]) -> Fold:
        objective = self._plan.params["objective"]
        baseline: Baseline = 0.0
        if self._fpreproc is not None:
            train_set, valid_set, given = self._fpreproc(train_set, valid_set, params)
            params = self._checked(given)
        if self._model is None:  # its raw predictions are the start otherwise
            start = starting_score(objective.loss, params, None, train_set, [valid_set])
            baseline = self._stack.enter_context(start)
        self.baselines.append(baseline)
        return train_set, valid_set, params

    def _checked(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """The user's parameters for a fold; LightGBM has the objective already."""
        objective = self._plan.params["objective"]
        others = {name: params[name] for name in params if name not in OBJECTIVE}
        limit = objective.max_learning_rate
        plan = make_plan(others, objective.loss, None, objective.curvature, limit)
        return {**plan.params, "objective": "none"}


def _finish(
    booster: "lightgbm.Booster",
    loss: Loss,
    baseline: Baseline,
    shift: Shift | None,
    best_iteration: int,
) -> None:
    """Make the booster of a fold a model of its own, in balance at its best round."""
    text = booster.model_to_string(num_iteration=-1)
    if shift is not None:
        if best_iteration > 0:
            for _ in range(booster.current_iteration() - best_iteration):
                booster.rollback_one_iter()
        shift.keep(booster)
    booster.free_dataset()
    booster.model_from_string(text)  # with the rounds after the best one
    booster.best_iteration = best_iteration
    finalise_with_note(booster, *start_and_note(baseline, loss, shift))
