"""XGBoost's distributed train with the focal loss, on a Dask cluster."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from focalboost._host import checked_loss, import_host, warn_of_no_split
from focalboost._provenance import Provenance, warn_of_another_loss
from focalboost.distributed._cluster import client_of, rows_of_masses
from focalboost.losses import Loss
from focalboost.objectives import Curvature
from focalboost.xgboost._model import booster_of, provenance_of, set_provenance
from focalboost.xgboost._params import make_plan
from focalboost.xgboost._train import has_split

if TYPE_CHECKING:
    import xgboost.dask

__all__ = ["train"]


def train(
    client: Any,
    params: Mapping[str, Any],
    dtrain: "xgboost.dask.DaskDMatrix",
    num_boost_round: int = 10,
    *,
    loss: Loss | None = None,
    curvature: Curvature = "certified",
    max_learning_rate: float | None = None,
    evals: "Sequence[tuple[xgboost.dask.DaskDMatrix, str]] | None" = None,
    early_stopping_rounds: int | None = None,
    xgb_model: Any = None,
    verbose_eval: int | bool = True,
    callbacks: Sequence[Any] | None = None,
    custom_metric: Any = None,
    **options: Any,
) -> Any:
    """Train an XGBoost model with the focal loss on a Dask cluster.

    It is ``xgboost.dask.train`` with objective, baseline and metric set. The baseline
    is that of the rows of all workers, and so is the relative focal loss, on which
    early stopping decides: XGBoost itself would take the mean over the workers,
    whatever their rows weigh. A ``custom_metric`` of your own is averaged like that.

    Parameters
    ----------
    client, params, dtrain, num_boost_round, evals, early_stopping_rounds, xgb_model, \
verbose_eval, callbacks, custom_metric, **options
        As in ``xgboost.dask.train``; labels are 0 to K - 1.
    loss, curvature, max_learning_rate
        As in ``focalboost.xgboost.train``.

    Returns
    -------
    dict
        ``{"booster": xgboost.Booster, "history": dict}``; with an asynchronous client
        it has to be awaited. The booster is a plain one; its posterior is
        ``loss.posterior`` of the raw prediction.

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
    client = client_of(client)
    loss = checked_loss(loss, params.get("num_class"))
    model = None if xgb_model is None else booster_of(xgb_model)

    async def on_cluster() -> dict[str, Any]:
        target = rows_of_masses(loss, await _masses(client, dtrain, loss))
        plan = make_plan(params, loss, target, model, curvature, max_learning_rate)
        if model is not None:
            warn_of_another_loss(provenance_of(model, "xgb_model"), loss, "xgb_model")
        from xgboost import dask

        result: dict[str, Any] = await dask.train(
            client,
            plan.params,
            dtrain,
            num_boost_round,
            obj=plan.objective,
            evals=evals,
            early_stopping_rounds=early_stopping_rounds,
            xgb_model=model,
            verbose_eval=verbose_eval,
            callbacks=callbacks,
            custom_metric=custom_metric or plan.metric,
            **options,
        )
        warn_of_no_split(has_split(result["booster"]))
        set_provenance(result["booster"], Provenance(loss, None))
        return result

    return client.sync(on_cluster)


async def _masses(client: Any, dtrain: Any, loss: Loss) -> NDArray[np.float64]:
    """The class masses of all rows, of each partition computed where it lies."""
    futures = [
        client.submit(_masses_of_part, part, loss, workers=[worker], pure=False)
        for worker, parts in dtrain.worker_map.items()
        for part in parts
    ]
    masses = await client.gather(futures)
    return np.sum(masses, axis=0)


def _masses_of_part(part: dict[str, Any], loss: Loss) -> NDArray[np.float64]:
    """The class masses of labels and weights as a DMatrix holds them, in float32."""
    weight = part.get("weight")
    if weight is not None:
        weight = np.asarray(weight, dtype=np.float32)
    label = np.asarray(part["label"], dtype=np.float32)
    return np.asarray(loss.class_masses(label, weight))
