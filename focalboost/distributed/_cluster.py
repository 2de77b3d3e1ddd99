"""Work on a Dask cluster: collections by partition, and a watch over its workers."""

import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from threading import Event, Thread
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import _num_samples

from focalboost._hosts._imports import import_extra
from focalboost._validation import reject
from focalboost.losses import FocalLoss

_ADVICE = 'pip install "dask[dataframe,distributed]"'
_SECONDS_BETWEEN_LOOKS = 1.0


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

    A length may be NaN, for unknown. Empty partitions stay; Dask's concatenate drops
    them. The step between is needed because a new graph does not know the keys of
    persisted partitions.
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


def by_partition(
    model: Any,
    method: str,
    X: Any,
    margin: Any = None,
    raw: Any = None,
    **options: Any,
) -> Any:
    """The answers of a method of an estimator of a single process, as a Dask array.

    ``raw`` is the type of raw predictions if the options ask for these. The model goes
    to each worker once.
    """
    if not hasattr(X, "npartitions"):
        reject(
            "X",
            "a Dask array or data frame",
            type(X).__name__,
            "Use dask.array.from_array, or an estimator of a single process.",
        )
    parts = parts_of(X)
    margins = [None] * len(parts)
    if margin is not None:
        require_alike("base_margin", margin, X)
        margins = parts_of(margin)
    sent, answer = delayed(model), delayed(_answer)
    nothing = _answer_of_no_row(model, method, raw)
    sizes = X.chunks[0] if hasattr(X, "chunks") else (np.nan,) * len(parts)
    answers = [
        answer(sent, method, *pair, nothing, options)
        for pair in zip(parts, margins, strict=True)
    ]
    return array_of(answers, sizes, nothing.shape[1:], nothing)


def _answer_of_no_row(model: Any, method: str, raw: Any) -> NDArray[Any]:
    classes = model.classes_
    if method == "predict" and raw is None:
        return np.asarray(classes[:0])
    is_raw = raw is not None or method == "decision_function"
    by_class = not (is_raw and isinstance(model.focal_loss_, FocalLoss))
    return np.empty((0, len(classes)) if by_class else 0, raw or np.float64)


def _answer(
    model: Any, method: str, X: Any, margin: Any, nothing: Any, options: dict[str, Any]
) -> Any:
    """The answers for one partition; hosts fail on one without rows."""
    if _num_samples(X) == 0:
        return nothing
    if margin is not None:
        options = {**options, "base_margin": np.asarray(margin)}
    return getattr(model, method)(X, **options)


@contextmanager
def ends_with_its_workers(client: Any) -> Iterator[None]:
    """Raise a ConnectionError if a worker that takes part ends.

    LightGBM binds its tasks to the addresses of the workers that hold the data. If no
    other worker notices that one has ended, LightGBM waits for its address for ever.
    """
    over, lost = Event(), list[Any]()
    arguments = (client, set(client.futures), over, lost)
    thread = Thread(target=_watch, args=arguments, daemon=True)
    thread.start()
    try:
        yield
    except CancelledError as error:
        if not lost:
            raise
        raise ConnectionError(
            "A worker of this training has ended. There is no model; train again."
        ) from error
    finally:
        over.set()
        thread.join(_SECONDS_BETWEEN_LOOKS)


def _watch(client: Any, earlier: set[Any], over: Event, lost: list[Any]) -> None:
    """Cancel what only a worker that has ended could do, and list it as lost."""
    with suppress(Exception):  # if the scheduler does not answer, the fit fails itself
        while not over.wait(_SECONDS_BETWEEN_LOOKS):
            stranded = set(client.run_on_scheduler(_stranded())) - earlier
            own = [
                distributed().Future(key, client)
                for key in stranded & set(client.futures)
            ]
            if own:
                lost += own
                client.cancel(own, force=True)


def _stranded() -> Callable[..., list[Any]]:
    """A function for the scheduler: the tasks whose only workers have gone.

    Tasks that depend on these are included. The function is nested so that it is sent
    by value, because the scheduler may not have this package.
    """

    def keys(dask_scheduler: Any) -> list[Any]:
        found = [
            task
            for task in dask_scheduler.unrunnable
            if task.worker_restrictions
            and not task.worker_restrictions & set(dask_scheduler.workers)
        ]
        for task in found:  # which grows
            found += [one for one in task.dependents if one not in found]
        return [task.key for task in found]

    return keys
