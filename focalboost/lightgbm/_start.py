"""Lets a LightGBM training start from the baseline.

LightGBM has no constant start for a callable objective but init_score, one number for
every row of every data set.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from focalboost.losses import FocalLoss
from focalboost.objectives import weights_of

if TYPE_CHECKING:
    import lightgbm

__all__ = ["starting_score"]


@contextmanager
def starting_score(
    loss: FocalLoss,
    params: Mapping[str, Any],
    init_model: Any,
    train_set: "lightgbm.Dataset",
    valid_sets: list["lightgbm.Dataset"],
) -> Iterator[float]:
    """Let training start from the baseline, which is yielded; then clean up.

    A model to continue brings its own start, and so does an init_score of the user's:
    the baseline is 0 then.
    """
    if init_model is not None:
        yield 0.0
        return
    label = _label(train_set, params)
    if _init_score(train_set) is not None:
        yield 0.0
        return
    baseline = loss.baseline(label, _weight(train_set))
    sizes = {id(train_set): (train_set, len(label))}
    for valid_set in valid_sets:
        if valid_set is not train_set:
            size = len(_label(valid_set, params, reference=train_set))
            sizes[id(valid_set)] = (valid_set, size)
    with _init_scores(baseline, list(sizes.values())):
        yield baseline


def _label(
    data_set: "lightgbm.Dataset",
    params: Mapping[str, Any],
    reference: "lightgbm.Dataset | None" = None,
) -> NDArray[Any]:
    """The labels; a data set of a file is built first, as lightgbm.train would.

    A data set that has served to continue a model keeps that model's predictions as
    init_score; they are dropped, or they would pass for the user's.
    """
    if data_set._predictor is not None:
        data_set._set_predictor(None)
        _clear_init_score(data_set)
    if data_set.label is None and not _is_built(data_set):
        data_set._update_params({**params, "objective": "none"})
        if reference is not None:
            data_set.set_reference(reference)
        data_set.construct()
    return np.ravel(np.asarray(data_set.get_label()))


def _weight(data_set: "lightgbm.Dataset") -> Any:
    return weights_of(data_set) if _is_built(data_set) else data_set.weight


def _init_score(data_set: "lightgbm.Dataset") -> Any:
    return data_set.get_init_score() if _is_built(data_set) else data_set.init_score


def _is_built(data_set: "lightgbm.Dataset") -> bool:
    """Whether the data are in LightGBM's own memory.

    Getters raise before that; and after a construction that failed the handle is a
    null pointer, with which setters crash the interpreter.
    """
    return bool(data_set._handle)


@contextmanager
def _init_scores(
    baseline: float, data_sets: list[tuple["lightgbm.Dataset", int]]
) -> Iterator[None]:
    """Give data sets without an init_score a constant one, for the time of training."""
    lacking = [(data, size) for data, size in data_sets if _init_score(data) is None]
    for data_set, size in lacking:
        data_set.set_init_score(np.full(size, baseline))
    try:
        yield
    finally:
        for data_set, _ in lacking:
            _clear_init_score(data_set)


def _clear_init_score(data_set: "lightgbm.Dataset") -> None:
    """set_init_score(None) would leave the scores in LightGBM's own memory."""
    data_set.init_score = None
    if _is_built(data_set):
        data_set.set_field("init_score", None)
