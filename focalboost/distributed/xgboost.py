"""XGBoost's distributed train with the focal loss, on a Dask cluster."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from focalboost._hosts._imports import import_host
from focalboost._hosts._masses import rows_of_masses
from focalboost._hosts._note import Provenance, warn_of_another_loss
from focalboost._hosts._params import (
    Balance,
    balances,
    checked_balance,
    checked_loss,
    refuse_objective,
    warn_of_no_split,
)
from focalboost.distributed._balance import balanced_booster
from focalboost.distributed._cluster import client_of
from focalboost.losses import Loss
from focalboost.objectives import Curvature, for_training
from focalboost.xgboost._balance import earlier_balance_of
from focalboost.xgboost._model import booster_of, provenance_of, set_provenance
from focalboost.xgboost._params import by_position, check_update, make_plan
from focalboost.xgboost._train import has_split, warn_of_bins

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
    import_host("xgboost")
    refuse_objective(obj)
    if coll_cfg is not None:  # XGBoost before 3.0 has none
        options["coll_cfg"] = coll_cfg
    client = client_of(client)
    loss = checked_loss(loss, params.get("num_class"), params.get("objective"))
    model = None if xgb_model is None else booster_of(xgb_model)
    balance = checked_balance(balance, "balance", bool(evals))
    check_update(params, model, num_boost_round)
    # XGBoost keeps its configuration by thread, and the client has one of its own.
    config = import_host("xgboost").get_config()

    async def on_cluster() -> dict[str, Any]:
        target = rows_of_masses(loss, await _masses(client, dtrain, loss))
        plan = make_plan(params, loss, target, model, curvature, max_learning_rate)
        if model is not None:
            warn_of_another_loss(provenance_of(model, "xgb_model"), loss, "xgb_model")
            warn_of_bins(dtrain)
        from xgboost import config_context, dask

        with config_context(**config):  # read before the first await
            training = dask.train(
                client,
                plan.params,
                dtrain,
                num_boost_round,
                obj=for_training(plan.objective, callbacks),
                evals=evals,
                early_stopping_rounds=early_stopping_rounds,
                xgb_model=model,
                verbose_eval=verbose_eval,
                callbacks=callbacks,
                custom_metric=for_training(custom_metric or plan.metric, callbacks),
                **options,
            )
        result: dict[str, Any] = await training
        booster, before = result["booster"], None
        warn_of_no_split(has_split(booster), loss)
        if balances(balance, loss, curvature):
            rows = dtrain if balance is True else list(evals or ())[-1][0]
            earlier = earlier_balance_of(booster)
            booster, before = await balanced_booster(
                client, booster, loss, rows, earlier
            )
        set_provenance(booster, Provenance(loss, None, before))
        return {**result, "booster": booster}

    return client.sync(on_cluster)


async def _masses(client: Any, dtrain: Any, loss: Loss) -> NDArray[np.float64]:
    """The class masses of all rows; each partition is counted where it lies."""
    futures = [
        client.submit(_masses_of_part, part, loss, workers=[worker], pure=False)
        for worker, parts in dtrain.worker_map.items()
        for part in parts
    ]
    masses = await client.gather(futures)
    return np.asarray(np.sum(masses, axis=0))


def _masses_of_part(part: dict[str, Any], loss: Loss) -> NDArray[np.float64]:
    """The class masses of labels and weights as a DMatrix holds them, in float32."""
    weight = part.get("weight")
    if weight is not None:
        weight = np.asarray(weight, dtype=np.float32)
    label = np.asarray(part["label"], dtype=np.float32)
    return np.asarray(loss.class_masses(label, weight))
