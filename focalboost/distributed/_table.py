"""Rows of a Dask cluster as LightGBM needs them: no partition empty, enough of them."""

from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from focalboost._validation import reject
from focalboost.distributed._cluster import (
    array_of,
    collection_like,
    delayed,
    parts_of,
    require_alike,
)
from focalboost.losses import Loss

__all__ = ["Table"]

#: A partition, and the first row and the end of a piece of it.
_Cut = tuple[int, int, int]


class Table(NamedTuple):
    """Partitions of features, labels and weights, delayed, and what they add up to."""

    X: list[Any]
    y: list[Any]
    sample_weight: list[Any] | None
    sizes: list[int]  #: rows of each partition, of which none is empty
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
        """A number, or one for each class, for every row, in the same partitions."""
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
    """The pieces, one more for the largest in turn."""
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
