"""Answers of a fitted estimator for the rows of a Dask collection."""

from typing import Any

import numpy as np

from focalboost._validation import reject
from focalboost.distributed._cluster import array_of, delayed, parts_of, require_alike

__all__ = ["by_partition"]


def by_partition(
    model: Any,
    method: str,
    X: Any,
    row: Any,
    margin: Any = None,
    **options: Any,
) -> Any:
    """A method's answers as a Dask array, whose rows are like ``row``.

    The model is one of a single process, which goes to each worker once.
    """
    if not hasattr(X, "npartitions"):
        reject(
            "X",
            "a Dask array or data frame",
            type(X).__name__,
            "Use dask.array.from_array, or an estimator of a single process.",
        )
    parts = parts_of(X)
    margins = [None] * len(parts)
    if margin is not None:
        require_alike("base_margin", margin, X)
        margins = parts_of(margin)
    sent, answer = delayed(model), delayed(_answer)
    nothing = np.empty((0, *np.shape(row)), np.asarray(row).dtype)
    sizes = X.chunks[0] if hasattr(X, "chunks") else (np.nan,) * len(parts)
    answers = [
        answer(sent, method, *pair, nothing, options)
        for pair in zip(parts, margins, strict=True)
    ]
    return array_of(answers, sizes, nothing.shape[1:], nothing)


def _answer(
    model: Any, method: str, X: Any, margin: Any, nothing: Any, options: dict[str, Any]
) -> Any:
    """The answers for one partition; hosts stumble over one without rows."""
    if len(X) == 0:
        return nothing
    if margin is not None:
        options = {**options, "base_margin": np.asarray(margin)}
    return getattr(model, method)(X, **options)
