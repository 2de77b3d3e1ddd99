"""XGBoost's cross-validation with the focal loss: each fold has its own baseline."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from focalboost._hosts._imports import import_host
from focalboost._hosts._masses import rows_of_masses
from focalboost._hosts._note import Provenance
from focalboost._hosts._params import (
    Balance,
    as_list,
    balances,
    checked_balance,
    checked_loss,
    refuse_objective,
    refuse_scikit_learn_metric,
    warn_of_no_split,
)
from focalboost.losses import Loss
from focalboost.objectives import Curvature, for_training
from focalboost.xgboost._balance import balanced
from focalboost.xgboost._model import set_provenance
from focalboost.xgboost._params import (
    Plan,
    by_position,
    check_update,
    make_plan,
    started,
    warn_of_score,
)
from focalboost.xgboost._train import (
    as_dict,
    has_split,
    masses_of_workers,
    target_of,
    warn_of_fallback,
)

if TYPE_CHECKING:
    import xgboost

#: What XGBoost's fpreproc takes and returns: both data sets of a fold, and parameters.
Fold = tuple["xgboost.DMatrix", "xgboost.DMatrix", dict[str, Any]]


@by_position
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
    settings = as_dict(params)
    refuse_objective(obj)
    refuse_scikit_learn_metric("custom_metric", custom_metric, "(name, value)")
    if maximize is None:
        warn_of_score(custom_metric, callbacks)
    loss = checked_loss(loss, settings.get("num_class"), settings.get("objective"))
    balance = checked_balance(balance, "balance", has_validation=True)
    check_update(settings, None, num_boost_round)
    target_of(dtrain)
    if metrics:
        settings["eval_metric"] = as_list(metrics)
    plan = make_plan(settings, loss, None, None, curvature, max_learning_rate)
    finisher = _finisher(plan, balance if balances(balance, loss, curvature) else False)
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
        callbacks=[finisher, *(callbacks or ())],
        shuffle=shuffle,
        custom_metric=for_training(custom_metric or plan.metric, callbacks),
    )


def _start_of_fold(
    plan: Plan, fpreproc: Callable[..., Fold] | None
) -> Callable[..., Fold]:
    """An fpreproc that sets the base_score of a fold, after the user's."""
    loss, curvature = plan.objective.loss, plan.objective.curvature
    limit = plan.objective.max_learning_rate

    def start(dtrain: Any, dtest: Any, params: dict[str, Any]) -> Fold:
        if fpreproc is not None:
            dtrain, dtest, params = fpreproc(dtrain, dtest, params)
            params = make_plan(params, loss, None, None, curvature, limit).params
        masses = masses_of_workers(loss, target_of(dtrain), None)
        return dtrain, dtest, started(params, loss, rows_of_masses(loss, masses))

    return start


def _finisher(plan: Plan, balance: Balance) -> Any:
    """A callback that makes the boosters of the folds models like those of ``train``.

    It comes before the user's callbacks, which may keep the boosters.
    """

    class Finisher(import_host("xgboost").callback.TrainingCallback):  # type: ignore[misc]
        def after_training(self, model: Any) -> Any:
            boosters = [fold.bst for fold in model.cvfolds]
            warn_of_fallback(plan.params.get("device"), boosters[0])
            warn_of_no_split(all(map(has_split, boosters)), plan.objective.loss)
            for fold in model.cvfolds:
                _finish(fold, plan, balance)
            return model

    return Finisher()


def _finish(fold: Any, plan: Plan, balance: Balance) -> None:
    """Balance the booster of a fold in place, and note its loss."""
    loss, before = plan.objective.loss, None
    if balance:
        rows = fold.dtest if balance == "validation" else fold.dtrain
        threads = plan.objective.n_threads
        model, before = balanced(fold.bst, loss, rows, n_threads=threads)
        fold.bst.load_model(model.save_raw("ubj"))  # forgets what it has predicted
    set_provenance(fold.bst, Provenance(loss, None, before))
