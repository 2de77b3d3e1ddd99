"""The folds of a comparison: of numbers shuffled and stratified, or of any splitter."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import (
    RepeatedStratifiedKFold,
    StratifiedGroupKFold,
    StratifiedKFold,
    check_cv,
)

from focalboost._validation import reject
from focalboost.diagnostics._rebalance import Part

__all__ = ["Fold", "folds_of"]

#: Training and test rows.
Fold = tuple[NDArray[np.intp], NDArray[np.intp]]


def folds_of(cv: Any, data: Part, groups: Any, random_state: int) -> list[Fold]:
    """The rows of each fold, in which both classes are to be found."""
    splitter = _splitter(cv, data.y, groups is not None, random_state)
    folds: list[Fold] = list(splitter.split(data.X, data.y, groups))
    for number, rows in enumerate(folds):
        found = [np.unique(data.y[part]).tolist() for part in rows]
        if found != [[0, 1], [0, 1]]:
            shown = f"in fold {number} {found[0]} and {found[1]}"
            rule = "splits with both classes in training and test rows"
            reject("cv", rule, shown, "Use fewer folds, or stratified ones.")
    return folds


def _splitter(cv: Any, y: NDArray[np.int8], has_groups: bool, random_state: int) -> Any:
    """A number as shuffled folds; other splitters as they are."""
    if cv is None and not has_groups:
        return RepeatedStratifiedKFold(
            n_splits=5, n_repeats=2, random_state=random_state
        )
    cv = 5 if cv is None else cv
    rarest = int(np.bincount(y).min())
    if isinstance(cv, int):
        if not 2 <= cv <= rarest:
            advice = "Use fewer folds, or add rows of the rarer class."
            reject("cv", f"from 2 to the {rarest} rows of the rarer class", cv, advice)
        kind = StratifiedGroupKFold if has_groups else StratifiedKFold
        return kind(cv, shuffle=True, random_state=random_state)
    return check_cv(cv, y, classifier=True)
