"""What is used of Dask: a client, and collections taken apart and put together."""

import uuid
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from focalboost._imports import import_extra
from focalboost._validation import reject
from focalboost.losses import FocalLoss, Loss

__all__ = [
    "array_of",
    "client_of",
    "collection_like",
    "delayed",
    "distributed",
    "parts_of",
    "require_alike",
    "rows_of_masses",
]

_ADVICE = "pip install 'focalboost[dask]'"


def client_of(client: Any) -> Any:
    """The client, or for None the one that Dask uses by default."""
    return distributed().default_client() if client is None else client


def distributed() -> Any:
    """Dask's module of clusters."""
    return import_extra("distributed", _ADVICE)


def delayed(function: Callable[..., Any]) -> Any:
    """The function, to be called on the cluster."""
    return import_extra("dask", _ADVICE).delayed(function)


def parts_of(collection: Any) -> list[Any]:
    """The partitions of a collection of rows, delayed."""
    parts = np.asarray(collection.to_delayed(), dtype=object)
    if parts.ndim == 2 and parts.shape[1] > 1:
        reject(
            "X",
            "in one chunk of columns",
            f"{parts.shape[1]} chunks",
            "Call X.rechunk({1: -1}).",
        )
    return list(parts.ravel())


def require_alike(name: str, collection: Any, X: Any) -> None:
    """Check that a collection has as many partitions as X."""
    if not hasattr(collection, "npartitions"):
        reject(
            name,
            "a Dask array, data frame or series",
            type(collection).__name__,
            "For data in memory use focalboost.lightgbm or focalboost.xgboost.",
        )
    if collection.npartitions != X.npartitions:
        reject(
            name,
            f"in {X.npartitions} partitions, as X is",
            collection.npartitions,
            "Repartition or rechunk one of them.",
        )


def array_of(
    parts: Sequence[Any],
    sizes: Sequence[float],
    rest: tuple[int, ...] = (),
    meta: Any = None,
) -> Any:
    """An array of delayed partitions; rows have the shape ``rest``.

    A length may be NaN, for unknown. Empty partitions stay, which Dask's concatenate
    would drop. Keys of partitions that have been persisted are not known as keys in a
    new graph, hence the step between.
    """
    parts = [delayed(_itself)(part) for part in parts]
    array: Any = import_extra("dask.array", _ADVICE)
    graphs: Any = import_extra("dask.highlevelgraph", _ADVICE)
    name = f"rows-{uuid.uuid4()}"
    columns = (0,) * len(rest)
    layer = {(name, i, *columns): part.key for i, part in enumerate(parts)}
    graph = graphs.HighLevelGraph.from_collections(name, layer, parts)
    chunks = (tuple(sizes), *((size,) for size in rest))
    meta = np.empty((0,) * (1 + len(rest))) if meta is None else meta
    return array.Array(graph, name, chunks, meta=meta)


def _itself(part: Any) -> Any:
    return part


def collection_like(source: Any, parts: Sequence[Any], sizes: Sequence[int]) -> Any:
    """Delayed partitions as a collection of the kind of another."""
    if hasattr(source, "chunks"):
        return array_of(parts, sizes, source.shape[1:], source._meta)
    frames: Any = import_extra("dask.dataframe", _ADVICE)
    return frames.from_delayed(list(parts), meta=source._meta)


def rows_of_masses(
    loss: Loss, masses: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Labels and weights of one row for each class, with the masses of all rows.

    Their baseline is that of all rows. ``FocalLoss`` has the positives' masses first.
    """
    codes = np.arange(len(masses), dtype=np.float64)
    if isinstance(loss, FocalLoss):
        codes = codes[::-1]
    labels = codes.reshape(-1, *[1] * (masses.ndim - 1))
    return np.broadcast_to(labels, masses.shape), masses
