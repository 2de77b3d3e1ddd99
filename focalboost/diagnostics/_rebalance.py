"""Rows with labels and weights, weighted or resampled as a method says."""

from collections.abc import Iterable
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import _safe_indexing

from focalboost._imports import import_extra
from focalboost._validation import reject
from focalboost.diagnostics._frames import data_frame
from focalboost.diagnostics._methods import Method

__all__ = ["Part", "class_ratio", "rebalanced", "require_samplers", "weighted"]

#: Neighbours that SMOTE draws lines to, as in the paper.
SMOTE_NEIGHBORS = 5

INSTALL_SMOTE = "pip install imbalanced-learn"


class Part(NamedTuple):
    """Features, labels of 0 and 1, and weights or None."""

    X: Any
    y: NDArray[np.int8]
    weight: NDArray[np.float64] | None = None

    def rows(self, positions: NDArray[np.intp]) -> "Part":
        """Some of the rows."""
        weight = None if self.weight is None else self.weight[positions]
        return Part(_safe_indexing(self.X, positions), self.y[positions], weight)


def class_ratio(part: Part) -> float:
    """The weight of the negatives over that of the positives."""
    weight = np.ones(len(part.y)) if part.weight is None else part.weight
    return float(weight[part.y == 0].sum() / weight[part.y == 1].sum())


def weighted(part: Part, of_positive: float) -> Part:
    """The part with the weights of its positives multiplied."""
    if of_positive == 1:
        return part
    weight = np.where(part.y == 1, of_positive, 1.0)
    return part._replace(weight=weight if part.weight is None else weight * part.weight)


def require_samplers(methods: Iterable[Method]) -> None:
    """Check that what the methods resample with is installed."""
    is_needed = any(method.resampling == "smote" for method in methods)
    # Not imported: one that is there and broken fails in the fits that need it.
    if is_needed and find_spec("imblearn") is None:
        import_extra("imblearn", f"{INSTALL_SMOTE}, or leave SMOTE out of losses")


def rebalanced(method: Method, train: Part, random_state: int) -> tuple[Part, float]:
    """The rows to train on, and by what the method multiplies the odds of a positive.

    The rows to stop on get that as weight of their positives, so that they are the
    same population as the rows to train on.
    """
    ratio = class_ratio(train)
    if method.resampling == "smote":
        train = _with_synthetic_positives(train, random_state)
    elif method.resampling == "undersample":
        train = _with_fewer_negatives(train, random_state)
    factor = ratio / class_ratio(train)
    if method.weight:
        of_positive = method.weight * class_ratio(train) ** method.power
        return weighted(train, of_positive), factor * of_positive
    return train, factor


def _with_fewer_negatives(train: Part, random_state: int) -> Part:
    """As many negatives as positives, where those are the rarer."""
    positive, negative = (np.flatnonzero(train.y == label) for label in (1, 0))
    rng = np.random.default_rng(random_state)
    n_negative = min(len(positive), len(negative))
    drawn = rng.choice(negative, n_negative, replace=False)
    return train.rows(np.sort(np.concatenate([positive, drawn])))


def _with_synthetic_positives(train: Part, random_state: int) -> Part:
    """As many positives as negatives; neighbours are found on standardised columns."""
    if train.weight is not None:
        reject("sample_weight", "None for SMOTE", train.weight, "Leave SMOTE out.")
    sampling = import_extra("imblearn.over_sampling", INSTALL_SMOTE)
    n_neighbors = min(SMOTE_NEIGHBORS, int(train.y.sum()) - 1)
    X = np.asarray(train.X, dtype=np.float64)
    scale = make_pipeline(SimpleImputer(keep_empty_features=True), StandardScaler())
    smote = sampling.SMOTE(k_neighbors=n_neighbors, random_state=random_state)
    scaled, y = smote.fit_resample(scale.fit_transform(X), train.y)
    synthetic = scale[-1].inverse_transform(scaled[len(X) :])
    # Fractions between whole numbers would give every synthetic positive away.
    is_whole = (np.nan_to_num(X) % 1 == 0).all(axis=0)
    synthetic = np.where(is_whole, synthetic.round(), synthetic)
    return Part(_like(train.X, np.vstack([X, synthetic])), y)


def _like(X: Any, values: NDArray[np.float64]) -> Any:
    """Values as a table with the columns of X, if X is a table."""
    if not hasattr(X, "columns"):
        return values
    return data_frame(values, columns=X.columns)
