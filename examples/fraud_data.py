"""The data of the fraud example: simulated or from a file, and split in three."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from simulated_transactions import simulate_transactions
from sklearn.model_selection import train_test_split

from focalboost.diagnostics.tables import DataError, LabelledTable, read_table

Rows: TypeAlias = NDArray[np.int64]
Parts: TypeAlias = tuple[Rows, Rows, Rows]

TEST_SHARE = 0.3
VALIDATION_SHARE = 0.2  # of the rows that are not for the test


@dataclass(frozen=True, eq=False)
class Problem:
    """Features, labels, and which rows are for what.

    Attributes
    ----------
    title, split : str
        What the data are, and how they are split.
    features : DataFrame of shape (n_samples, n_features)
        Columns of float64, NaN for missing values.
    y_true : ndarray of shape (n_samples,)
        1 for the class to find, else 0.
    train, validation, test : ndarray
        Row numbers of each part.
    posterior : ndarray of shape (n_samples,) or None
        The true P(y = 1 | features), where it is known.
    """

    title: str
    split: str
    features: pd.DataFrame
    y_true: NDArray[np.int8]
    train: Rows
    validation: Rows
    test: Rows
    posterior: NDArray[np.float64] | None = None

    @property
    def parts(self) -> dict[str, Rows]:
        """The row numbers of each part by its name."""
        return {
            "training": self.train,
            "validation": self.validation,
            "test": self.test,
        }


def simulated_problem(n_samples: int, imbalance: float, seed: int) -> Problem:
    """Return simulated transactions, split by day."""
    simulated = simulate_transactions(n_samples, imbalance, seed)
    problem = Problem(
        f"Simulated card transactions, not real ones (seed {seed})",
        "by day, the last for the test",
        simulated.features,
        simulated.y_true,
        *_by_time(simulated.features["day"]),
        simulated.posterior,
    )
    return _with_both_classes(problem, "raise --rows or lower --imbalance")


def problem_from_file(
    path: Path, target: str | None, time: str | None, seed: int
) -> Problem:
    """Read and split a file: by time, by its own test rows, or else at random.

    Raises
    ------
    DataError
        If the file cannot be used as it is.
    """
    table = read_table(path, target, time)
    split, parts = _split(table, seed)
    # Both hosts refuse some of the characters that a column of a file may be named by.
    names = [
        "".join(letter if letter.isalnum() else "_" for letter in str(name))
        for name in table.features
    ]
    if len(set(names)) < len(names):
        names = [f"{name}_{i}" for i, name in enumerate(names)]
    features = table.features.set_axis(names, axis=1)
    title = f"{path.name} ({table.positive} is the class to find)"
    problem = Problem(title, split, features, table.y_true, *parts)
    return _with_both_classes(problem, "add rows, or split by another --time")


def _split(table: LabelledTable, seed: int) -> tuple[str, Parts]:
    """How the rows are split, and into which."""
    if table.time is not None:
        split = f"by {table.time}, the last for the test"
        return split, _by_time(table.features[table.time])
    y_true = table.y_true
    if table.is_test is not None:
        split = "the file's own test rows"
        rest, test = np.flatnonzero(~table.is_test), np.flatnonzero(table.is_test)
    else:
        split = "at random, stratified"
        rest, test = _stratified(np.arange(y_true.size), y_true, TEST_SHARE, seed)
    return split, (*_stratified(rest, y_true, VALIDATION_SHARE, seed), test)


def _by_time(time: pd.Series) -> Parts:
    """The earliest rows for training, the latest for the test."""
    order = np.argsort(time.to_numpy(), kind="stable")
    n_rest = round(order.size * (1 - TEST_SHARE))
    n_train = round(n_rest * (1 - VALIDATION_SHARE))
    return order[:n_train], order[n_train:n_rest], order[n_rest:]


def _stratified(
    rows: Rows, y_true: NDArray[np.int8], share: float, seed: int
) -> tuple[Rows, Rows]:
    """The rows in two, with the given share of each class in the second."""
    try:
        first, second = train_test_split(
            rows, test_size=share, random_state=seed, stratify=y_true[rows]
        )
    except ValueError as error:
        raise DataError(f"the rows cannot be split ({error}): add rows") from error
    return first, second


def _with_both_classes(problem: Problem, remedy: str) -> Problem:
    """The problem itself, if every part has rows of both classes."""
    for name, rows in problem.parts.items():
        n_other, n_positive = np.bincount(problem.y_true[rows], minlength=2)
        # SMOTE draws lines between rows of a class, so training takes two of them.
        if min(n_other, n_positive) < (2 if name == "training" else 1):
            raise DataError(
                f"the {name} part has {n_positive} rows of the class to find and "
                f"{n_other} others: {remedy}"
            )
    return problem
