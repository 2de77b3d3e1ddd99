"""The balancing shift of rows that lie on the workers of a cluster.

Every partition is predicted where it lies. What comes back are sums.
"""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from focalboost._hosts._imports import import_host
from focalboost.distributed._cluster import delayed
from focalboost.losses import Loss, SoftmaxFocalLoss
from focalboost.losses._balance import Part, Total, balancing_shift_of_parts
from focalboost.xgboost._balance import shifted


async def balanced_booster(
    client: Any,
    booster: Any,
    loss: Loss,
    data_set: Any,
    earlier: Any,
    rounds: int | None = None,
) -> tuple[Any, Any]:
    """Return an XGBoost model in balance on a DaskDMatrix, and its base_score before.

    Rows of a single class have the shift of an ``earlier`` training. Rounds are those
    that predictions use, None for all. A base_margin takes the place of the base_score,
    so such a data set balances nothing.
    """
    options = {
        "missing": data_set.missing,
        "feature_names": data_set.feature_names,
        "feature_types": data_set.feature_types,
        "enable_categorical": data_set.enable_categorical,
    }
    predict = partial(_predicted, booster, loss, rounds or 0, options)
    predicted = [
        client.submit(predict, part, workers=[worker], pure=False)
        for worker, parts in data_set.worker_map.items()
        for part in parts
    ]
    if not all(await client.gather([client.submit(_is_part, p) for p in predicted])):
        return booster, None
    loop = asyncio.get_running_loop()

    def total(function: Callable[[Part], NDArray[np.float64]]) -> NDArray[np.float64]:
        sums = [client.submit(function, part, pure=False) for part in predicted]
        found = asyncio.run_coroutine_threadsafe(_gathered(client, sums), loop)
        return np.asarray(np.sum(found.result(), axis=0))

    # In a thread of its own: the search for the shift waits for the cluster.
    shift = await asyncio.to_thread(balancing_shift_of_parts, loss, total, earlier)
    return shifted(booster, loss, shift)


async def _gathered(client: Any, futures: list[Any]) -> Any:
    return await client.gather(futures)


def _is_part(predicted: Part | None) -> bool:
    return predicted is not None


def _predicted(
    booster: Any,
    loss: Loss,
    rounds: int,
    options: Mapping[str, Any],
    rows: Mapping[str, Any],
) -> Part | None:
    """The part of a partition of a DaskDMatrix, or None if it has a base_margin."""
    if rows.get("base_margin") is not None:
        return None
    labels = np.asarray(rows["label"], dtype=np.float32)
    labels = labels.reshape(len(labels), *(k for k in labels.shape[1:] if k > 1))
    weight = rows.get("weight")
    weight = None if weight is None else np.asarray(weight, dtype=np.float32).ravel()
    data = import_host("xgboost").DMatrix(rows["data"], **options)
    span = {"iteration_range": (0, rounds)} if rounds else {}
    raw = booster.predict(data, output_margin=True, **span)
    # XGBoost gives no rows a shape of its own.
    columns = labels.shape[1:]
    if isinstance(loss, SoftmaxFocalLoss):
        columns = (loss.n_classes,)
    return Part(labels, raw.reshape(len(labels), *columns), weight, 1)


def total_of_tables(client: Any, booster: Any, baseline: Any, table: Any) -> Total:
    """What adds up over the partitions of a table, predicted from a baseline."""
    weights = table.sample_weight or [None] * len(table.sizes)
    predict = partial(_predicted_rows, booster.model_to_string(), baseline)
    rows = zip(table.X, table.y, weights, strict=True)
    parts = client.compute([delayed(predict)(*part) for part in rows])

    def total(function: Callable[[Part], NDArray[np.float64]]) -> NDArray[np.float64]:
        sums = [client.submit(function, part, pure=False) for part in parts]
        return np.asarray(np.sum(client.gather(sums), axis=0))

    return total


def _predicted_rows(
    text: str, baseline: Any, X: Any, y_true: Any, sample_weight: Any
) -> Part:
    """The part of a partition, whose raw predictions start from a baseline."""
    booster = import_host("lightgbm").Booster(model_str=text)
    raw = np.asarray(booster.predict(X, raw_score=True, num_threads=1)) + baseline
    return Part(np.asarray(y_true), raw, sample_weight, 1)
