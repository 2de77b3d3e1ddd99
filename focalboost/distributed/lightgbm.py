"""LightGBM on a Dask cluster with the focal loss."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from inspect import signature
from typing import Any

import numpy as np

from focalboost._hosts._imports import import_host
from focalboost._hosts._masses import rows_of_masses
from focalboost._hosts._note import Provenance, note_of, warn_of_another_loss
from focalboost._hosts._params import (
    Balance,
    balances,
    checked_balance,
    checked_loss,
    one_value,
    warn_of_no_split,
)
from focalboost._validation import reject
from focalboost.distributed._balance import total_of_tables
from focalboost.distributed._cluster import client_of, ends_with_its_workers
from focalboost.distributed._data import Table
from focalboost.distributed._metric import LocalSums, summing_over_workers
from focalboost.lightgbm._model import (
    constant_params,
    continuable,
    earlier_balance_of,
    finalise_with_note,
    has_split,
    is_without_features,
    provenance_of,
    unbalanced,
)
from focalboost.lightgbm._params import (
    METRIC,
    NUM_CLASS,
    OBJECTIVE,
    Plan,
    make_plan,
    rounds_apart,
)
from focalboost.lightgbm._text import without_objective
from focalboost.losses import Loss
from focalboost.losses._balance import balancing_shift_of_parts
from focalboost.objectives import Curvature

__all__ = ["train"]


def train(
    client: Any,
    params: Mapping[str, Any],
    X: Any,
    y: Any,
    num_boost_round: int = 100,
    *,
    sample_weight: Any = None,
    loss: Loss | None = None,
    curvature: Curvature = "certified",
    max_learning_rate: float | None = None,
    balance: Balance = True,
    valid_sets: Sequence[tuple[Any, ...]] = (),
    valid_names: Sequence[str] | None = None,
    init_model: Any = None,
    callbacks: Sequence[Any] | None = None,
) -> dict[str, Any]:
    """Train a LightGBM model with the focal loss on a Dask cluster.

    The baseline and the relative focal loss are those of the rows of all workers, and
    so is early stopping (``early_stopping_round`` in ``params``). LightGBM itself
    evaluates and stops on each worker by its own rows. Partitions may be empty, or have
    one class.

    Parameters
    ----------
    client : distributed.Client or None
        None is the default client.
    params : dict
        LightGBM's parameters. A ``metric`` raises an error, because LightGBM has none
        for the rows of all workers.
    X, y, sample_weight : Dask arrays, or data frames and series
        Features, labels and weights, in as many partitions. Labels are 0 to K - 1.
    num_boost_round, valid_names, init_model : as in ``lightgbm.train``
        The host's own arguments.
    loss, curvature, max_learning_rate, balance : as in ``focalboost.lightgbm.train``
        See there.
    valid_sets : sequence of (X, y) or (X, y, sample_weight)
        Each has at least as many rows as X has partitions with rows.
    callbacks : list of callables, optional
        They run on every worker, and what they record stays there.

    Returns
    -------
    dict
        ``{"booster": lightgbm.Booster, "history": dict}``. The booster is finalised, as
        by ``focalboost.lightgbm.train``.

    Raises
    ------
    ValueError
        As in ``focalboost.lightgbm.train``.

    Examples
    --------
    >>> import dask.array
    >>> from dask.distributed import Client
    >>> import focalboost.distributed.lightgbm
    >>> from focalboost import FocalLoss
    >>> X = dask.array.arange(600.0, chunks=300).reshape(-1, 1)
    >>> options = {"n_workers": 1, "processes": False, "dashboard_address": ":0"}
    >>> params = {"verbosity": -1, "min_data_in_leaf": 5}
    >>> with Client(**options) as client:
    ...     result = focalboost.distributed.lightgbm.train(
    ...         client, params, X, X[:, 0] > 550, 20, loss=FocalLoss(gamma=2)
    ...     )
    Finding random open ports for workers
    >>> sorted(result)
    ['booster', 'history']
    """
    import_host("lightgbm")
    client = client_of(client)
    params, num_boost_round = rounds_apart(params, num_boost_round)
    loss = checked_loss(
        loss, one_value(params, NUM_CLASS), one_value(params, OBJECTIVE)
    )
    plan = make_plan(params, loss, None, curvature, max_learning_rate)
    model = None
    if init_model is not None:
        model = continuable(init_model, plan.params)
        warn_of_another_loss(provenance_of(model, "init_model"), loss, "init_model")
        model = unbalanced(model)
    host = fitted_host(
        client,
        plan,
        loss,
        Table.of(client, loss, X, y, sample_weight),
        [Table.of(client, loss, *given) for given in valid_sets],
        balance=checked_balance(balance, "balance", bool(valid_sets)),
        n_estimators=num_boost_round,
        eval_names=None if valid_names is None else list(valid_names),
        init_model=model,
        callbacks=list(callbacks or ()),
    )
    return {"booster": host.booster_, "history": dict(host.evals_result_ or {})}


def fitted_host(
    client: Any,
    plan: Plan,
    loss: Loss,
    table: Table,
    evaluation: list[Table],
    *,
    balance: Balance,
    classes: Any = None,
    **options: Any,
) -> Any:
    """LightGBM's regressor, fitted on the cluster, with a finalised booster.

    It is a regressor, because a classifier encodes the labels of each worker anew.
    """
    from lightgbm.dask import DaskLGBMRegressor

    if plan.metric is None:
        _reject_metric(plan.params)
    is_new = options["init_model"] is None
    baseline = loss.baseline(*rows_of_masses(loss, table.masses)) if is_new else 0.0
    evaluation = [
        one.in_pieces(len(table.sizes), f"evaluation set {i}")
        for i, one in enumerate(evaluation)
    ]
    options |= _evaluated(plan, evaluation, baseline if is_new else None)
    X, y, sample_weight = table.collections()
    rounds = options.pop("n_estimators")
    # A default of its constructor would count more than another name of the parameter.
    params: dict[str, Any] = dict.fromkeys(DaskLGBMRegressor().get_params())
    params |= {**plan.params, "client": client, "n_estimators": rounds}
    host = DaskLGBMRegressor(**params)
    with (
        warnings.catch_warnings(),
        _summing(client, plan, evaluation) as summing,
        ends_with_its_workers(client),
    ):
        options["callbacks"] += summing
        # LightGBM says so of its own default.
        warnings.filterwarnings("ignore", "Parameter n_jobs will be ignored")
        try:
            host.fit(
                X,
                y,
                sample_weight=sample_weight,
                init_score=table.constant(baseline) if is_new else None,
                **options,
            )
        except import_host("lightgbm").basic.LightGBMError as error:
            if not is_without_features(error, plan.params) or not is_new:
                raise
            host = _constant_host(plan.params, table.source)
    rows = table if balance is True or not evaluation else evaluation[-1]
    shift = None
    if balances(balance, loss, plan.params["objective"].curvature):
        total = total_of_tables(client, host.booster_, baseline, rows)
        earlier = earlier_balance_of(options["init_model"])
        shift = balancing_shift_of_parts(loss, total, earlier)
        baseline = baseline + shift
    note = Provenance(loss, classes, None if shift is None else shift.tolist())
    finalise_with_note(host.booster_, baseline, note_of(note))
    warn_of_no_split(has_split(host.booster_), loss)
    return host


def _constant_host(params: Mapping[str, Any], X: Any) -> Any:
    """A fitted regressor of single leaves of value 0, for tables like X.

    It does not ask the cluster again: LightGBM leaves its network open after an error,
    and the next training there may wait for ever.
    """
    settings = {**params, **constant_params(params), "n_estimators": 1}
    n_classes = one_value(params, NUM_CLASS, 2)
    if hasattr(X, "chunks"):
        rows = np.zeros((n_classes, X.shape[1]))
    else:
        rows = X._meta_nonempty.iloc[[0] * n_classes]
    start = np.zeros((n_classes, n_classes) if n_classes > 2 else n_classes)
    host = import_host("lightgbm").LGBMRegressor(**settings)
    host.fit(rows, np.arange(n_classes), init_score=start)
    text = host.booster_.model_to_string()
    host.booster_.model_from_string(without_objective(text))
    return host


def _reject_metric(params: Mapping[str, Any]) -> None:
    reject(
        "metric",
        "left out for the relative focal loss of all rows",
        one_value(params, METRIC),
        "LightGBM evaluates any other on the rows of each worker alone.",
    )


@contextmanager
def _summing(client: Any, plan: Plan, evaluation: list[Table]) -> Iterator[list[Any]]:
    """What makes the sums of the workers one metric, where there is one."""
    if plan.metric is None or not evaluation:
        yield []
        return
    with summing_over_workers(client, plan.metric) as callback:
        yield [callback]


def _evaluated(plan: Plan, evaluation: list[Table], baseline: Any) -> dict[str, Any]:
    """The arguments of LightGBM's fit for evaluation sets."""
    if plan.metric is None or not evaluation:
        return {}
    collections = [table.collections() for table in evaluation]
    features, labels, weights = zip(*collections, strict=True)
    arguments: dict[str, Any] = {"eval_metric": LocalSums(plan.metric)}
    if any(weight is not None for weight in weights):
        arguments["eval_sample_weight"] = [
            table.constant(1.0) if weight is None else weight
            for table, weight in zip(evaluation, weights, strict=True)
        ]
    if baseline is not None:
        arguments["eval_init_score"] = [
            table.constant(baseline) for table in evaluation
        ]
    return arguments | _sets(features, labels)


def _sets(features: Sequence[Any], labels: Sequence[Any]) -> dict[str, Any]:
    """The evaluation sets, under the names of this LightGBM."""
    from lightgbm.dask import DaskLGBMRegressor

    if "eval_X" in signature(DaskLGBMRegressor.fit).parameters:  # LightGBM 4.7
        return {"eval_X": tuple(features), "eval_y": tuple(labels)}
    return {"eval_set": list(zip(features, labels, strict=True))}
