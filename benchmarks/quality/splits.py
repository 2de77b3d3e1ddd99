"""Training and test part of a problem, thinned so that a run ends in its time."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from sklearn.model_selection import train_test_split

from quality.problems import BY_NAME
from quality.tables import Table

TEST_SHARE = 0.3


@dataclass(frozen=True)
class Cap:
    """How many rows of a part are kept.

    ``rows``, or as many as hold ``positives`` positives, but never over ``most``.
    """

    rows: int
    positives: int
    most: int

    def size(self, y: Any) -> int:
        """The rows that are kept of a part with these labels."""
        holding = int(np.ceil(self.positives * len(y) / max(1, y.sum())))
        return min(len(y), self.most, max(self.rows, holding))


@dataclass(frozen=True)
class Caps:
    """The caps of both parts."""

    train: Cap = Cap(10_000, 60, 200_000)
    test: Cap = Cap(30_000, 100, 200_000)


@dataclass(frozen=True, eq=False)
class Split:
    """What a method gets, and what judges it."""

    X: Any
    y: Any
    X_test: Any
    y_test: Any


@lru_cache(maxsize=1)
def split(name: str, seed: int, caps: Caps) -> Split:
    """The parts of a problem for a seed; the last one asked for is kept."""
    table = BY_NAME[name].table(seed)
    train, test = _parts(table, seed)
    train = _thinned(train, table.y_true, caps.train, seed)
    test = _thinned(test, table.y_true, caps.test, seed)
    given = table.y_true if table.y_given is None else table.y_given
    return Split(table.X[train], given[train], table.X[test], table.y_true[test])


def _parts(table: Table, seed: int) -> tuple[Any, Any]:
    """The rows of both parts: those that the set names, else at random by class."""
    if table.is_test is not None:
        return np.flatnonzero(~table.is_test), np.flatnonzero(table.is_test)
    rows = np.arange(len(table.y_true))
    train, test = train_test_split(
        rows, test_size=TEST_SHARE, stratify=table.y_true, random_state=seed
    )
    return train, test


def _thinned(rows: Any, y_true: Any, cap: Cap, seed: int) -> Any:
    """Some of the rows, with the same share of positives."""
    size = cap.size(y_true[rows])
    if size == len(rows):
        return rows
    kept, _ = train_test_split(
        rows, train_size=size, stratify=y_true[rows], random_state=seed
    )
    return kept
