"""The labels of a training that is spread over a cluster, and the classes' weights."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets

from focalboost._validation import reject, require_length, require_weights
from focalboost.distributed._cluster import (
    array_of,
    collection_like,
    delayed,
    parts_of,
    require_alike,
)
from focalboost.estimators._target import Target, effective_weights_of_counts

__all__ = ["Rows", "SpreadTarget", "Summary", "summaries_of"]


class Summary(NamedTuple):
    """The labels that occur in some rows, and how often."""

    classes: NDArray[Any]
    counts: NDArray[np.int64]

    @property
    def n_rows(self) -> int:
        """The number of rows."""
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
    if weights is not None:
        weight = np.ravel(np.asarray(weights, dtype=np.float64))
        require_length("sample_weight", weight, len(flat))
        require_weights(np, weight)
    return Summary(*np.unique(flat, return_counts=True))


def classes_and_counts(parts: Sequence[Summary]) -> Summary:
    """The summary of all rows."""
    known = [part for part in parts if part.n_rows > 0]
    if not known:
        reject("y", "labels of one row or more", "no row", "Pass rows.")
    every_class = np.concatenate([part.classes for part in known])
    classes, codes = np.unique(every_class, return_inverse=True)
    counts = np.concatenate([part.counts for part in known])
    return Summary(classes, np.bincount(np.ravel(codes), counts).astype(np.int64))


class Rows(NamedTuple):
    """Collections in the same partitions, labels encoded and class weights applied."""

    X: Any
    y: Any
    sample_weight: Any
    margin: Any  #: raw predictions to start from


class SpreadTarget:
    """The classes of all rows, of which each partition may lack some."""

    def __init__(self, parts: Sequence[Summary], class_weight: Any) -> None:
        classes, counts = classes_and_counts(parts)
        self.target = Target(classes, None, None)
        self.target.class_weight = _class_weights(class_weight, classes, counts)

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
        """The rows of a data set without empty partitions, which hosts stumble over."""
        self.target.encode(classes_and_counts(parts)[0])  # all of them are known
        given = {"y": y, "sample_weight": sample_weight, "base_margin": margin}
        for name, collection in given.items():
            if collection is not None:
                require_alike(name, collection, X)
        sizes = [part.n_rows for part in parts]
        keep = [i for i, size in enumerate(sizes) if size > 0]
        kept = [sizes[i] for i in keep]
        labels, weights = _kept(y, keep), _kept(sample_weight, keep)
        encode, weigh = delayed(self._encoded), delayed(self._weighed)
        is_weighed = sample_weight is not None or self.target.class_weight is not None
        pairs = zip(labels, weights, strict=True)
        return Rows(
            X if len(keep) == len(sizes) else _like(X, keep, kept),
            array_of([encode(part) for part in labels], kept),
            array_of([weigh(*pair) for pair in pairs], kept) if is_weighed else None,
            None if margin is None else _like(margin, keep, kept),
        )

    def _encoded(self, labels: Any) -> NDArray[np.float64]:
        return self.target.encode(np.ravel(np.asarray(labels))).astype(np.float64)

    def _weighed(self, labels: Any, weights: Any) -> NDArray[np.float64]:
        codes = self.target.encode(np.ravel(np.asarray(labels)))
        weight = None if weights is None else np.ravel(np.asarray(weights))
        return np.asarray(self.target.weigh(codes, weight), dtype=np.float64)


def _kept(collection: Any, keep: list[int]) -> list[Any]:
    """The partitions that are kept; None for each of nothing."""
    parts = None if collection is None else parts_of(collection)
    return [None if parts is None else parts[i] for i in keep]


def _like(collection: Any, keep: list[int], sizes: list[int]) -> Any:
    return collection_like(collection, _kept(collection, keep), sizes)


def _class_weights(
    class_weight: Any, classes: NDArray[Any], counts: NDArray[Any]
) -> Any:
    """The weight of each class, by its rows in all partitions; None for none."""
    if class_weight is None:
        return None
    if isinstance(class_weight, str) and class_weight == "effective":
        return effective_weights_of_counts(counts)
    if isinstance(class_weight, str) and class_weight == "balanced":
        return counts.sum() / (len(classes) * counts)  # as compute_class_weight
    return compute_class_weight(class_weight, classes=classes, y=classes)
