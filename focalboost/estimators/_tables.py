"""Tables for LightGBM: which takes columns by position, whatever their names."""

from typing import Any

import numpy as np
from sklearn.utils.validation import _check_feature_names

from focalboost._validation import reject

__all__ = ["require_fitted_names", "require_names_of_training", "require_numbers"]

#: What LightGBM reads of Polars and Arrow; others end the process.
READABLE = {
    *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float", "double", "float32", "float64", "bool", "boolean"),
}


def require_numbers(X: Any) -> None:
    """Check that LightGBM can read the columns of a table of Polars or Arrow."""
    if type(X).__module__.partition(".")[0] not in ("polars", "pyarrow"):
        return
    types = X.dtypes if hasattr(X, "dtypes") else X.schema.types
    for name, kind in zip(_columns(X), map(str, types), strict=True):
        if kind.lower() not in READABLE:
            reject(
                f"column {name!r} of X",
                "of numbers or booleans",
                kind,
                "Pass X.to_pandas(): of pandas LightGBM reads categories, and text "
                "after astype('category').",
            )


def require_fitted_names(X: Any, estimator: Any) -> None:
    """Check that a table has the columns of the training, in their order.

    LightGBM writes spaces as underscores, and counts columns that have no names.
    """
    names = _names(X)
    known = getattr(estimator, "feature_names_in_", None)
    if names is None or known is None:
        return
    known = np.asarray(known).tolist()
    if known not in (names, [f"Column_{i}" for i in range(len(known))]):
        _check_feature_names(estimator, X, reset=False)  # scikit-learn's words


def require_names_of_training(X: Any, training_X: Any) -> None:
    """Check that an evaluation set has the columns of the training set."""
    names, known = _names(X), _names(training_X)
    if names is not None and known is not None and names != known:
        reject(
            "eval_set",
            f"of the columns {known}, as X is",
            names,
            "Pass X_valid[list(X.columns)].",
        )


def _names(X: Any) -> list[str] | None:
    """The names of the columns as LightGBM writes them; None if they are no text."""
    names = _columns(X)
    if not names or not all(isinstance(name, str) for name in names):
        return None
    return [name.replace(" ", "_") for name in names]


def _columns(X: Any) -> list[Any]:
    """The names of the columns, whatever they are."""
    return list(getattr(X, "column_names", getattr(X, "columns", ())))  # Arrow's first
