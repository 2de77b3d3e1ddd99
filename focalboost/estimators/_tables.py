"""Tables for LightGBM: which takes columns by position, whatever their names."""

from typing import Any

import numpy as np
from sklearn.utils.validation import _check_feature_names

from focalboost._validation import reject

__all__ = ["require_fitted_names", "require_names_of_training"]


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
    names = list(getattr(X, "column_names", getattr(X, "columns", ())))  # of Arrow
    if not names or not all(isinstance(name, str) for name in names):
        return None
    return [name.replace(" ", "_") for name in names]
