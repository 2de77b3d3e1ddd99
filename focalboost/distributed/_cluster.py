"""What both hosts need of a Dask cluster: rows by partition, labels, sums, answers."""

import uuid
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from focalboost._hosts._imports import INSTALL, import_extra
from focalboost._validation import (
    reject,
    require_length,
    require_positive_total,
    require_weights,
)
from focalboost.estimators._base import loss_of
from focalboost.estimators._rows import LabelsOfModel, Target, column_of, rows_at
from focalboost.losses._balance import Part, Total


def dask(module: str) -> Any:
    """A module of Dask."""
    return import_extra(module, INSTALL["distributed"])


def client_of(client: Any) -> Any:
    """The client, or for None the one that Dask uses by default."""
    return dask("distributed").default_client() if client is None else client


def delayed(value: Any) -> Any:
    """A function to be called on the cluster, or a value to be sent there once."""
    return dask("dask").delayed(value)


def parts_of(collections: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The delayed partitions of collections by name, as many of each as of the first.

    Those that are None are left out.
    """
    found: dict[str, list[Any]] = {}
    for name, collection in collections.items():
        if collection is None:
            continue
        if not hasattr(collection, "npartitions"):
            reject(
                name,
                "a Dask array or data frame, or a series of one",
                type(collection).__name__,
                "Use dask.array.from_array, or focalboost in a single process.",
            )
        parts = np.asarray(collection.to_delayed(), dtype=object)
        if parts.ndim == 2 and parts.shape[1] > 1:
            reject(
                name,
                "in one chunk of columns",
                f"{parts.shape[1]} chunks",
                f"Call {name}.rechunk({{1: -1}}).",
            )
        found[name] = list(parts.ravel())
        n_parts = len(next(iter(found.values())))
        if len(found[name]) != n_parts:
            reject(
                name,
                f"in {n_parts} partitions, as {next(iter(found))} is",
                len(found[name]),
                "Repartition or rechunk one of them.",
            )
    return found


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
    itself = delayed(_itself)
    parts = [itself(part) for part in parts]
    name = f"rows-{uuid.uuid4()}"
    columns = (0,) * len(rest)
    layer = {(name, i, *columns): part.key for i, part in enumerate(parts)}
    graph = dask("dask.highlevelgraph").HighLevelGraph.from_collections(
        name, layer, parts
    )
    chunks = (tuple(sizes), *((size,) for size in rest))
    meta = np.empty((0,) * (1 + len(rest))) if meta is None else meta
    return dask("dask.array").Array(graph, name, chunks, meta=meta)


def _itself(part: Any) -> Any:
    return part


class Table(NamedTuple):
    """The rows of a data set, in delayed partitions that are not empty."""

    sizes: list[int]
    parts: dict[str, list[Any]]  #: X, y and perhaps sample_weight and base_margin
    sources: dict[str, Any]  #: collections whose kind the parts of that name keep

    def in_pieces(self, count: int, name: str) -> Self:
        """The same rows in at least so many partitions."""
        if len(self.sizes) >= count:
            return self
        if sum(self.sizes) < count:
            reject(
                name,
                f"at least {count} rows, one for each partition of X with rows",
                sum(self.sizes),
                "Repartition X into fewer partitions, or evaluate on more rows.",
            )
        cuts, cut = list(_cuts(self.sizes, count)), delayed(rows_at)
        return self._replace(
            sizes=[rows.stop - rows.start for _, rows in cuts],
            parts={
                name: [cut(parts[position], rows) for position, rows in cuts]
                for name, parts in self.parts.items()
            },
        )

    def collections(self) -> dict[str, Any]:
        """The parts as Dask collections: arrays, or of the kind of their source."""
        return {name: self._collection(name) for name in self.parts}

    def _collection(self, name: str) -> Any:
        parts, source = self.parts[name], self.sources.get(name)
        if source is None:
            return array_of(parts, self.sizes)
        if hasattr(source, "chunks"):
            return array_of(parts, self.sizes, source.shape[1:], source._meta)
        return dask("dask.dataframe").from_delayed(parts, meta=source._meta)

    def constant(self, values: Any) -> Any:
        """The same number, or numbers of the classes, in every row."""
        row = np.asarray(values, dtype=np.float64)
        return dask("dask.array").broadcast_to(
            row,
            (sum(self.sizes), *row.shape),
            chunks=(tuple(self.sizes), *((size,) for size in row.shape)),
        )


def _cuts(sizes: list[int], count: int) -> Iterator[tuple[int, slice]]:
    """At least ``count`` pieces of partitions, some of them empty if rows are few."""
    for position, size in enumerate(sizes):
        n_pieces = -(-size * count // sum(sizes))  # its share, rounded up
        edges = [size * i // n_pieces for i in range(n_pieces + 1)]
        yield from ((position, slice(*piece)) for piece in pairwise(edges))


class Summary(NamedTuple):
    """The labels that occur in a partition, and their rows of positive weight."""

    classes: NDArray[Any]
    counts: NDArray[np.int64]
    masses: NDArray[np.float64]  #: sums of the weights
    n_rows: int


def summaries_of(client: Any, y: Any, sample_weight: Any = None) -> Any:
    """The summary of each partition; labels and weights are checked where they lie.

    With an asynchronous client, await it.
    """
    parts = parts_of({"y": y, "sample_weight": sample_weight})
    calls = list(map(delayed(_summary), *parts.values()))
    return client.gather(client.compute(calls))


def _summary(labels: Any, weights: Any = None) -> Summary:
    given = np.asarray(labels)
    if given.ndim == 2 and given.shape[1] != 1:
        reject(
            "y",
            "a single column of labels on a cluster",
            given.shape,
            "Use focalboost.distributed.xgboost.train for labels (n, T) of 0 and 1, or "
            "train a model for each label.",
        )
    flat = np.ravel(given)
    if len(flat) > 0:
        flat = column_of(flat)
    weight = np.ones(len(flat))
    if weights is not None:
        weight = np.ravel(np.asarray(weights, dtype=np.float64))
        require_length("sample_weight", weight, len(flat))
        require_weights(np, weight)
    classes, codes = np.unique(flat, return_inverse=True)
    codes, n_classes = np.ravel(codes), len(classes)
    counts = np.bincount(codes[weight > 0], minlength=n_classes)
    masses = np.bincount(codes, weight, n_classes).astype(np.float64)
    return Summary(classes, counts, masses, len(flat))


def _joined(summaries: Sequence[Summary]) -> Summary:
    """All partitions in one; a label is there as often as in partitions."""
    known = [summary for summary in summaries if summary.n_rows > 0]
    if not known:
        reject("y", "labels of one row or more", "no row", "Pass rows.")
    found = Summary(
        np.concatenate([summary.classes for summary in known]),
        np.concatenate([summary.counts for summary in known]),
        np.concatenate([summary.masses for summary in known]),
        sum(summary.n_rows for summary in known),
    )
    require_positive_total(float(found.counts.sum()))
    return found


class SpreadTarget:
    """The classes of all rows, and their loss; a partition may lack some classes."""

    def __init__(
        self,
        estimator: Any,
        summaries: Sequence[Summary],
        of_model: LabelsOfModel | None,
    ) -> None:
        found = _joined(summaries)
        self.target = Target(
            found.classes, estimator.class_weight, found.counts, of_model
        )
        self.classes = self.target.classes  #: in order
        masses = np.bincount(self.target.encoded, found.masses, len(self.classes))
        self.masses = self.target.weigh(np.arange(len(masses)), masses)
        self.loss = loss_of(
            estimator, self.classes, self.masses if of_model is None else None
        )

    def table(
        self,
        summaries: Sequence[Summary],
        X: Any,
        y: Any,
        sample_weight: Any,
        base_margin: Any = None,
    ) -> Table:
        """The rows that count, with encoded labels and the weights of classes.

        Hosts fail on empty partitions, and let rows of weight 0 count in leaves.
        """
        total = _joined(summaries)
        self.target.encode(total.classes)  # all of them are known
        sources = {"X": X}
        if base_margin is not None:
            sources["base_margin"] = base_margin
        found = parts_of({**sources, "y": y, "sample_weight": sample_weight})
        n_counting = [int(summary.counts.sum()) for summary in summaries]
        keep = [i for i, count in enumerate(n_counting) if count > 0]
        parts = {name: [found[name][i] for i in keep] for name in found}
        if sum(n_counting) < total.n_rows:
            counting, weights = delayed(_counting), parts["sample_weight"]
            for name in parts:
                parts[name] = list(map(counting, parts[name], weights))
        own = [parts[name] for name in ("y", "sample_weight") if name in parts]
        if len(own) == 2 or self.target.class_weight is not None:
            parts["sample_weight"] = list(map(delayed(self._weighed), *own))
        parts["y"] = list(map(delayed(self._encoded), parts["y"]))
        return Table([n_counting[i] for i in keep], parts, sources)

    def _encoded(self, labels: Any) -> NDArray[np.float64]:
        return self.target.encode(np.ravel(np.asarray(labels))).astype(np.float64)

    def _weighed(self, labels: Any, weights: Any = None) -> NDArray[np.float64]:
        codes = self.target.encode(np.ravel(np.asarray(labels)))
        weight = None if weights is None else np.ravel(np.asarray(weights))
        return np.asarray(self.target.weigh(codes, weight), dtype=np.float64)


def _counting(rows: Any, weights: Any) -> Any:
    """The rows of positive weight."""
    return rows_at(rows, np.flatnonzero(np.ravel(np.asarray(weights))))


def total_of(client: Any, parts: Sequence[Any]) -> Total:
    """What adds up over rows that lie on the workers, given futures of their parts."""

    def total(function: Callable[[Part], NDArray[np.float64]]) -> NDArray[np.float64]:
        sums = [client.submit(function, part, pure=False) for part in parts]
        found = client.gather(sums, asynchronous=False)
        return np.asarray(np.sum(found, axis=0))

    return total


def answers_of(
    model: Any,
    method: str,
    X: Any,
    base_margin: Any = None,
    **options: Any,
) -> Any:
    """The answers of a method of an estimator of a single process, as a Dask array.

    The model goes to each worker once.
    """
    parts = parts_of({"X": X, "base_margin": base_margin})
    a_row = np.zeros((1, model.n_features_in_))
    unnamed = {**options, "validate_features": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it has no names
        nothing = getattr(model, method)(a_row, **unnamed)[:0]
    answer, there = delayed(_answer), delayed(model)
    answers = [
        answer(there, method, nothing, *rows, **options)
        for rows in zip(*parts.values(), strict=True)
    ]
    sizes = X.chunks[0] if hasattr(X, "chunks") else (np.nan,) * len(answers)
    return array_of(answers, sizes, nothing.shape[1:], nothing)


def _answer(
    model: Any,
    method: str,
    nothing: Any,
    X: Any,
    margin: Any = None,
    **options: Any,
) -> Any:
    """The answers for a partition.

    XGBoost refuses memory off the alignment of its type, as messages bring it, and
    copies it first. But NumPy calls an array without a row aligned, wherever it lies.
    """
    if X.shape[0] == 0:
        return nothing
    if margin is not None:
        options["base_margin"] = np.asarray(margin)
    return getattr(model, method)(X, **options)
