"""XGBoost's distributed train with the focal loss, on a Dask cluster."""

import asyncio
import operator
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from focalboost._hosts._imports import import_host
from focalboost._hosts._note import Provenance, warn_of_another_loss
from focalboost._hosts._params import (
    Balance,
    balance_to_make,
    checked_balance,
    checked_loss,
    refuse_objective,
    rows_of_masses,
    warn_of_no_split,
)
from focalboost.distributed._cluster import client_of, total_of
from focalboost.losses import Loss, SoftmaxFocalLoss
from focalboost.losses._balance import Part, balancing_shift_of_parts
from focalboost.objectives import Curvature, for_training
from focalboost.xgboost._model import (
    booster_of,
    earlier_balance_of,
    has_split,
    provenance_of,
    set_provenance,
    shift_base_score,
)
from focalboost.xgboost._params import (
    by_position,
    check_update,
    make_plan,
    warn_of_score,
)
from focalboost.xgboost._train import warn_of_bins

if TYPE_CHECKING:
    import xgboost.dask

__all__ = ["train"]


@by_position
def train(
    client: Any,
    params: Mapping[str, Any],
    dtrain: "xgboost.dask.DaskDMatrix",
    num_boost_round: int = 10,
    *,
    evals: "Sequence[tuple[xgboost.dask.DaskDMatrix, str]] | None" = None,
    obj: None = None,
    early_stopping_rounds: int | None = None,
    xgb_model: Any = None,
    verbose_eval: int | bool = True,
    callbacks: Sequence[Any] | None = None,
    custom_metric: Any = None,
    coll_cfg: Any = None,
    loss: Loss | None = None,
    curvature: Curvature = "certified",
    max_learning_rate: float | None = None,
    balance: Balance = True,
    **options: Any,
) -> Any:
    """Train an XGBoost model with the focal loss on a Dask cluster.

    It is ``xgboost.dask.train`` with objective, baseline and metric set. The baseline,
    the relative focal loss and early stopping use the rows of all workers. XGBoost
    itself takes the mean of a metric over the workers, whatever their rows weigh. It
    does so with your own ``custom_metric``.

    Parameters
    ----------
    client, params, dtrain, num_boost_round, evals, early_stopping_rounds, xgb_model, \
verbose_eval, callbacks, custom_metric, coll_cfg, **options : \
as in ``xgboost.dask.train``
        The host's own arguments. Labels are 0 to K - 1.
    obj : None
        The loss is the objective.
    loss, curvature, max_learning_rate, balance : as in ``focalboost.xgboost.train``
        See there.

    Returns
    -------
    dict
        ``{"booster": xgboost.Booster, "history": dict}``. With an asynchronous client,
        await it. The booster is a plain one. Its posterior is ``loss.posterior`` of the
        raw prediction.

    Raises
    ------
    ValueError
        As in ``focalboost.xgboost.train``.

    Examples
    --------
    >>> import dask.array, numpy as np, xgboost.dask
    >>> from dask.distributed import Client
    >>> import focalboost.distributed.xgboost
    >>> from focalboost import FocalLoss
    >>> X = dask.array.arange(600.0, chunks=200).reshape(-1, 1)
    >>> options = {"n_workers": 1, "processes": False, "dashboard_address": ":0"}
    >>> with Client(**options) as client:
    ...     dtrain = xgboost.dask.DaskDMatrix(client, X, X[:, 0] > 550)
    ...     result = focalboost.distributed.xgboost.train(
    ...         client, {"max_depth": 2}, dtrain, 20, loss=FocalLoss(gamma=2)
    ...     )
    >>> sorted(result)
    ['booster', 'history']
    """
    refuse_objective(obj)
    warn_of_score(custom_metric, callbacks)
    evals = list(evals or ())
    if coll_cfg is not None:  # XGBoost before 3.0 has none
        options["coll_cfg"] = coll_cfg
    client = client_of(client)
    return client.sync(
        trained,
        client,
        params,
        dtrain,
        num_boost_round,
        loss=checked_loss(loss, params.get("num_class"), params.get("objective")),
        curvature=curvature,
        max_learning_rate=max_learning_rate,
        balance=checked_balance(balance, "balance", bool(evals)),
        evals=evals,
        model=None if xgb_model is None else booster_of(xgb_model),
        # XGBoost keeps its configuration by thread, and the client has one of its own.
        config=import_host("xgboost").get_config(),
        callbacks=callbacks,
        custom_metric=custom_metric,
        early_stopping_rounds=early_stopping_rounds,
        verbose_eval=verbose_eval,
        **options,
    )


async def trained(
    client: Any,
    params: Mapping[str, Any],
    dtrain: Any,
    rounds: int,
    *,
    loss: Loss,
    max_learning_rate: float | None,
    balance: Balance,
    evals: list[tuple[Any, str]],
    model: Any,
    config: Mapping[str, Any],
    callbacks: Sequence[Any] | None,
    curvature: Curvature = "certified",
    custom_metric: Any = None,
    classes: Any = None,
    ends_at_best: bool = False,
    **options: Any,
) -> dict[str, Any]:
    """What XGBoost's train returns, with a booster in balance.

    The balance is that of predictions, which may end at the best round.
    """
    from xgboost import config_context, dask

    check_update(params, model, rounds)
    for data_set in [dtrain, *(rows for rows, _ in evals)]:
        await _name_features(client, data_set)
    masses = await client.gather(_on_each_part(client, dtrain, _masses_of, loss))
    target = rows_of_masses(loss, np.sum(masses, axis=0))
    plan = make_plan(params, loss, target, model, curvature, max_learning_rate)
    if model is not None:
        warn_of_another_loss(provenance_of(model, "xgb_model"), loss, "xgb_model")
        warn_of_bins(dtrain)
    with config_context(**config):  # read before the first await
        training = dask.train(
            client,
            plan.params,
            dtrain,
            rounds,
            obj=for_training(plan.objective, callbacks),
            evals=evals,
            xgb_model=model,
            callbacks=callbacks,
            custom_metric=for_training(custom_metric or plan.metric, callbacks),
            **options,
        )
    result: dict[str, Any] = await training
    booster, before = result["booster"], None
    warn_of_no_split(has_split(booster), loss)
    if balance_to_make(balance, loss, curvature):
        rows = dtrain if balance is True else evals[-1][0]
        best = booster.attr("best_iteration") if ends_at_best else None
        span = (0, 0) if best is None else (0, int(best) + 1)
        booster, before = await _balanced(client, booster, loss, rows, span)
    set_provenance(booster, Provenance(loss, classes, before))
    return {**result, "booster": booster}


def _on_each_part(client: Any, data_set: Any, function: Any, *arguments: Any) -> Any:
    """Futures of a function of the partitions of a DaskDMatrix."""
    return [
        client.submit(function, part, *arguments, workers=[worker], pure=False)
        for worker, parts in data_set.worker_map.items()
        for part in parts
    ]


async def _name_features(client: Any, data_set: Any) -> None:
    """Give a DaskDMatrix the names of its features.

    XGBoost reads them on the workers that have rows of it. On the others it would miss
    them before it calls an objective or a metric.
    """
    if data_set.feature_names is None:
        parts = next(iter(data_set.worker_map.values()))
        options = _options_of(data_set)
        data_set.feature_names = await client.submit(_names_of, parts[0], options)


def _options_of(data_set: Any) -> dict[str, Any]:
    """With what XGBoost makes a DMatrix of each partition."""
    return {
        "missing": data_set.missing,
        "feature_names": data_set.feature_names,
        "feature_types": data_set.feature_types,
        "enable_categorical": data_set.enable_categorical,
    }


def _names_of(rows: Mapping[str, Any], options: Mapping[str, Any]) -> Any:
    some = rows["data"][:1].copy()  # see _predicted
    return import_host("xgboost").DMatrix(some, **options).feature_names


def _masses_of(rows: Mapping[str, Any], loss: Loss) -> NDArray[np.float64]:
    return np.asarray(loss.class_masses(*_labels_and_weights(rows)))


def _labels_and_weights(rows: Mapping[str, Any]) -> tuple[Any, Any]:
    """Labels and weights as a DMatrix holds them, in float32, a column as its rows."""
    labels = np.asarray(rows["label"], dtype=np.float32)
    labels = labels.reshape(len(labels), *(k for k in labels.shape[1:] if k > 1))
    weight = rows.get("weight")
    return labels, None if weight is None else np.ravel(weight).astype(np.float32)


async def _balanced(
    client: Any, booster: Any, loss: Loss, data_set: Any, span: tuple[int, int]
) -> tuple[Any, Any]:
    """A model in balance on a DaskDMatrix, and its base_score before.

    Rows of a single class have the shift of an earlier training. A base_margin takes
    the place of the base_score, so such a data set balances nothing.
    """
    predict = partial(_predicted, booster, loss, span, _options_of(data_set))
    parts = _on_each_part(client, data_set, predict)
    with_margin = [client.submit(operator.is_, part, None) for part in parts]
    if any(await client.gather(with_margin)):
        return booster, None
    # In a thread of its own: the search for the shift waits for the cluster.
    shift = await asyncio.to_thread(
        balancing_shift_of_parts,
        loss,
        total_of(client, parts),
        earlier_balance_of(booster),
    )
    copy = booster.copy()  # a booster keeps what it has predicted for a data set
    return copy, shift_base_score(copy, loss, shift)


def _predicted(
    booster: Any,
    loss: Loss,
    span: tuple[int, int],
    options: Mapping[str, Any],
    rows: Mapping[str, Any],
) -> Part | None:
    """The part of a partition of a DaskDMatrix, or None if it has a base_margin."""
    if rows.get("base_margin") is not None:
        return None
    labels, weight = _labels_and_weights(rows)
    raw = np.empty(0, np.float32)
    # NumPy calls memory of no row aligned, wherever a message has brought it, and
    # XGBoost refuses it.
    if len(labels) > 0:
        data = import_host("xgboost").DMatrix(rows["data"], **options)
        raw = booster.predict(data, output_margin=True, iteration_range=span)
    columns = labels.shape[1:]
    if isinstance(loss, SoftmaxFocalLoss):
        columns = (loss.n_classes,)
    return Part(labels, raw.reshape(len(labels), *columns), weight, 1)
