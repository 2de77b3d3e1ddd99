"""Rows and labels of a Dask cluster: encoded, weighted, and in no empty partition."""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.multiclass import check_classification_targets

from focalboost._validation import (
    reject,
    require_length,
    require_positive_total,
    require_weights,
)
from focalboost.distributed._cluster import (
    array_of,
    collection_like,
    delayed,
    parts_of,
    require_alike,
)
from focalboost.estimators._rows import ModelLabels, Target, class_weights, rows_at
from focalboost.losses import Loss

#: A partition, and the first row and the end of a piece of it.
_Cut = tuple[int, int, int]


class Table(NamedTuple):
    """Delayed partitions of features, labels and weights, with sizes and masses."""

    X: list[Any]
    y: list[Any]
    sample_weight: list[Any] | None
    sizes: list[int]  #: rows of each partition, at least 1
    masses: NDArray[np.float64]  #: of the classes, over all partitions
    source: Any  #: the collection of the features

    @classmethod
    def of(
        cls, client: Any, loss: Loss, X: Any, y: Any, sample_weight: Any = None
    ) -> Self:
        """Look at all labels and weights once, where they lie."""
        given = [X, y] if sample_weight is None else [X, y, sample_weight]
        for name, collection in zip(("X", "y", "sample_weight"), given, strict=False):
            require_alike(name, collection, X)
        parts = [parts_of(collection) for collection in given]
        look = delayed(partial(_looked_at, loss))
        calls = [look(*of_part) for of_part in zip(*parts[1:], strict=True)]
        found = client.gather(client.compute(calls))
        keep = [i for i, (n_rows, _) in enumerate(found) if n_rows > 0]
        if not keep:
            reject("y", "labels of one row or more", "no row", "Pass rows.")
        X_parts, *columns = ([column[i] for i in keep] for column in parts)
        as_column = delayed(_column)
        y_parts, *weights = ([as_column(part) for part in col] for col in columns)
        return cls(
            X_parts,
            y_parts,
            weights[0] if weights else None,
            [found[i][0] for i in keep],
            np.sum([masses for _, masses in found], axis=0),
            X,
        )

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
        cuts = list(_cuts(self.sizes, count))
        weight = self.sample_weight
        return self._replace(
            X=_pieces(self.X, cuts),
            y=_pieces(self.y, cuts),
            sample_weight=None if weight is None else _pieces(weight, cuts),
            sizes=[stop - start for _, start, stop in cuts],
        )

    def collections(self) -> tuple[Any, Any, Any]:
        """Features, labels and weights as Dask collections."""
        weight = self.sample_weight
        return (
            collection_like(self.source, self.X, self.sizes),
            array_of(self.y, self.sizes),
            None if weight is None else array_of(weight, self.sizes),
        )

    def constant(self, values: Any) -> Any:
        """The same number, or numbers of the classes, in every row."""
        row = np.asarray(values, dtype=np.float64)
        fill = delayed(partial(_filled, row))
        return array_of([fill(size) for size in self.sizes], self.sizes, row.shape)


def _looked_at(
    loss: Loss, labels: Any, weights: Any = None
) -> tuple[int, NDArray[np.float64]]:
    """The number of rows of a partition, and its class masses, checked."""
    column = _column(labels)
    weight = None if weights is None else _column(weights)
    return len(column), np.asarray(loss.class_masses(column, weight))


def _column(values: Any) -> NDArray[np.float64]:
    """One number for each row."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim == 2 and array.shape[1] != 1:
        reject(
            "y",
            "a single column",
            array.shape,
            "Train a model for each label: LightGBM has no multilabel models.",
        )
    return array.reshape(len(array))


def _filled(row: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    return np.broadcast_to(row, (size, *row.shape)).copy()


def _cuts(sizes: list[int], count: int) -> Iterator[_Cut]:
    """At least ``count`` pieces, as equal in size as whole partitions allow."""
    pieces = np.ones(len(sizes), dtype=int)
    while pieces.sum() < count:
        pieces[np.argmax(np.array(sizes) / pieces)] += 1
    for position, (size, n_pieces) in enumerate(zip(sizes, pieces, strict=True)):
        edges = [size * i // int(n_pieces) for i in range(n_pieces + 1)]
        yield from ((position, *piece) for piece in pairwise(edges))


def _pieces(parts: list[Any], cuts: list[_Cut]) -> list[Any]:
    cut = delayed(_rows)
    return [cut(parts[position], start, stop) for position, start, stop in cuts]


def _rows(part: Any, start: int, stop: int) -> Any:
    return part.iloc[start:stop] if hasattr(part, "iloc") else part[start:stop]


class Summary(NamedTuple):
    """The labels that occur in some rows, and their rows of positive weight."""

    classes: NDArray[Any]
    counts: NDArray[np.int64]
    masses: NDArray[np.float64]  #: sums of the weights
    n_rows: int

    @property
    def n_counting(self) -> int:
        """The number of rows of positive weight."""
        return int(self.counts.sum())


def summaries_of(y: Any, sample_weight: Any = None) -> list[Any]:
    """The summary of each partition, delayed; labels and weights are checked there."""
    summary = delayed(_summary)
    if sample_weight is None:
        return [summary(part) for part in parts_of(y)]
    require_alike("sample_weight", sample_weight, y)
    pairs = zip(parts_of(y), parts_of(sample_weight), strict=True)
    return [summary(*pair) for pair in pairs]


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
    if np.any(flat != flat):  # NaN, of floats and of objects
        reject("y", "a label in every row", "nan", "Drop the rows without a label.")
    if len(flat) > 0:
        check_classification_targets(flat)
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


def classes_and_counts(parts: Sequence[Summary]) -> Summary:
    """The summary of all rows."""
    known = [part for part in parts if part.n_rows > 0]
    if not known:
        reject("y", "labels of one row or more", "no row", "Pass rows.")
    every_class = np.concatenate([part.classes for part in known])
    classes, codes = np.unique(every_class, return_inverse=True)
    codes = np.ravel(codes)
    counts = np.concatenate([part.counts for part in known])
    masses = np.concatenate([part.masses for part in known])
    return Summary(
        classes,
        np.bincount(codes, counts).astype(np.int64),
        np.bincount(codes, masses).astype(np.float64),
        sum(part.n_rows for part in known),
    )


class Rows(NamedTuple):
    """Collections in the same partitions, with encoded labels and class weights."""

    X: Any
    y: Any
    sample_weight: Any
    margin: Any  #: raw predictions to start from


class SpreadTarget:
    """The classes of all rows; a partition may lack some of them."""

    def __init__(
        self,
        parts: Sequence[Summary],
        class_weight: Any,
        of_model: ModelLabels | None = None,
    ) -> None:
        found = classes_and_counts(parts)
        require_positive_total(found.n_counting)
        self.target = Target(found.classes, None, None, of_model)
        encoded, n_classes = self.target.encoded, len(self.classes)
        counts = np.bincount(encoded, found.counts, n_classes)
        masses = np.bincount(encoded, found.masses, n_classes)
        weights = class_weights(class_weight, self.classes, counts)
        self.target.class_weight = weights
        self.masses = masses if weights is None else masses * weights

    @property
    def classes(self) -> NDArray[Any]:
        """The labels in order."""
        return self.target.classes

    def rows(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        margin: Any,
        parts: Sequence[Summary],
    ) -> Rows:
        """The rows of a data set that count, in partitions that are not empty.

        Hosts fail on empty partitions, and let rows of weight 0 count in leaves.
        """
        total = classes_and_counts(parts)
        self.target.encode(total.classes)  # all of them are known
        require_positive_total(float(total.n_counting))
        given = {"y": y, "sample_weight": sample_weight, "base_margin": margin}
        for name, collection in given.items():
            if collection is not None:
                require_alike(name, collection, X)
        keep = [i for i, part in enumerate(parts) if part.n_counting > 0]
        sizes = [parts[i].n_counting for i in keep]
        by_weight = sample_weight if total.n_counting < total.n_rows else None
        kept = partial(_kept, keep=keep, sample_weight=by_weight)
        labels, weights = kept(y), kept(sample_weight)
        encode, weigh = delayed(self._encoded), delayed(self._weighed)
        is_weighed = sample_weight is not None or self.target.class_weight is not None
        pairs = zip(labels, weights, strict=True)
        is_whole = by_weight is None and len(keep) == len(parts)
        return Rows(
            X if is_whole else collection_like(X, kept(X), sizes),
            array_of([encode(part) for part in labels], sizes),
            array_of([weigh(*pair) for pair in pairs], sizes) if is_weighed else None,
            None if margin is None else collection_like(margin, kept(margin), sizes),
        )

    def _encoded(self, labels: Any) -> NDArray[np.float64]:
        return self.target.encode(np.ravel(np.asarray(labels))).astype(np.float64)

    def _weighed(self, labels: Any, weights: Any) -> NDArray[np.float64]:
        codes = self.target.encode(np.ravel(np.asarray(labels)))
        weight = None if weights is None else np.ravel(np.asarray(weights))
        return np.asarray(self.target.weigh(codes, weight), dtype=np.float64)


def _kept(collection: Any, keep: list[int], sample_weight: Any) -> list[Any]:
    """The partitions to keep, without rows of weight 0; None for no collection."""
    if collection is None:
        return [None] * len(keep)
    parts = parts_of(collection)
    if sample_weight is None:
        return [parts[i] for i in keep]
    weights, counting = parts_of(sample_weight), delayed(_counting)
    return [counting(parts[i], weights[i]) for i in keep]


def _counting(rows: Any, weights: Any) -> Any:
    """The rows of positive weight."""
    return rows_at(rows, np.flatnonzero(np.ravel(np.asarray(weights))))
