"""The labels of a training that is spread over a cluster, and the classes' weights."""

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

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
from focalboost.estimators._rows import rows_at
from focalboost.estimators._target import Target, class_weights

__all__ = ["Rows", "SpreadTarget", "Summary", "summaries_of"]


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
    flat = np.ravel(np.asarray(labels))
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
        np.bincount(codes, masses),
        sum(part.n_rows for part in known),
    )


class Rows(NamedTuple):
    """Collections in the same partitions, labels encoded and class weights applied."""

    X: Any
    y: Any
    sample_weight: Any
    margin: Any  #: raw predictions to start from


class SpreadTarget:
    """The classes of all rows, of which each partition may lack some."""

    def __init__(self, parts: Sequence[Summary], class_weight: Any) -> None:
        classes, counts, masses, _ = classes_and_counts(parts)
        require_positive_total(float(counts.sum()))
        self.target = Target(classes, None, None)
        weights = class_weights(class_weight, classes, counts)
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

        Hosts stumble over empty partitions, and let rows of weight 0 count in leaves.
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
    """Partitions that are kept, of given weights the rows above 0; None for nothing."""
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
