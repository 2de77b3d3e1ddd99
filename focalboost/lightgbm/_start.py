"""Lets a LightGBM training start from the baseline.

LightGBM has no constant start for a callable objective but init_score, one number for
every row of every data set.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from focalboost._host import import_host
from focalboost._validation import reject, require_weights_of_hosts
from focalboost.losses import Loss
from focalboost.objectives import weights_of

if TYPE_CHECKING:
    import lightgbm

__all__ = [
    "Baseline",
    "constant_scores",
    "require_data_set",
    "starting_score",
    "target_of",
]

#: A raw prediction, or one for each class.
Baseline = float | NDArray[np.float64]


def constant_scores(baseline: Baseline, n_rows: int) -> NDArray[np.float64]:
    """The baseline as init_score: LightGBM keeps the rows of a class together."""
    return np.repeat(np.asarray(baseline, dtype=np.float64), n_rows)


@contextmanager
def starting_score(
    loss: Loss,
    params: Mapping[str, Any],
    init_model: Any,
    train_set: "lightgbm.Dataset",
    valid_sets: list["lightgbm.Dataset"],
) -> Iterator[Baseline]:
    """Let training start from the baseline, which is yielded; then clean up.

    A model to continue brings its own start, and so does an init_score of the user's:
    the baseline is 0 then.
    """
    others = [data_set for data_set in valid_sets if data_set is not train_set]
    for data_set in (train_set, *others):
        _forget_model(data_set)
    if init_model is not None:
        with _kept_init_scores([train_set, *others]):
            yield 0.0
        return
    label = _label(train_set, params)
    if _init_score(train_set) is not None:
        yield 0.0
        return
    weight = _weight(train_set)
    if weight is not None:
        require_weights_of_hosts(weight)
    baseline = loss.baseline(label, weight)
    sizes = [(train_set, len(label))]
    sizes += [(other, len(_label(other, params, train_set))) for other in others]
    with _init_scores(baseline, sizes):
        yield baseline


def require_data_set(name: str, data_set: Any) -> None:
    """Check that something is a LightGBM data set."""
    if not isinstance(data_set, import_host("lightgbm").Dataset):
        reject(
            name,
            "a lightgbm.Dataset",
            type(data_set).__name__,
            "Use lightgbm.Dataset(X, label=y).",
        )


def target_of(
    train_set: "lightgbm.Dataset", params: Mapping[str, Any]
) -> tuple[NDArray[Any], Any]:
    """Labels and weights of the training set."""
    _forget_model(train_set)
    return _label(train_set, params), _weight(train_set)


def _forget_model(data_set: "lightgbm.Dataset") -> None:
    """Drop what a continuation or a failed construction has left behind.

    A data set that has served lightgbm.train to continue a model keeps the model's
    predictions as init_score, where they would pass for the user's. One whose
    construction has failed keeps a null pointer, with which setters crash.
    """
    if not _is_built(data_set):
        data_set._handle = None
    if data_set._predictor is not None:
        data_set._predictor = None
        _clear_init_score(data_set)


@contextmanager
def _kept_init_scores(data_sets: list["lightgbm.Dataset"]) -> Iterator[None]:
    """Let a model's predictions be the start, and give the user's back afterwards."""
    if _init_score(data_sets[0]) is not None:
        reject(
            "train_set",
            "without an init_score where init_model is given",
            "an init_score",
            "LightGBM would replace it by the model's predictions: leave out one.",
        )
    before = [(data_set, _init_score(data_set)) for data_set in data_sets]
    try:
        yield
    finally:
        for data_set, init_score in before:
            data_set._predictor = None
            _clear_init_score(data_set)
            if init_score is not None:
                data_set.set_init_score(init_score)


def _label(
    data_set: "lightgbm.Dataset",
    params: Mapping[str, Any],
    reference: "lightgbm.Dataset | None" = None,
) -> NDArray[Any]:
    """The labels; a data set of a file is built first, as lightgbm.train would."""
    if data_set.label is None and not _is_built(data_set):
        if not isinstance(data_set.data, str | os.PathLike):
            reject(
                "train_set" if reference is None else "valid_sets",
                "with labels",
                "none",
                "Use lightgbm.Dataset(X, label=y).",
            )
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
    """Whether the data are in LightGBM's own memory; getters raise before that."""
    return bool(data_set._handle)


@contextmanager
def _init_scores(
    baseline: Baseline, data_sets: list[tuple["lightgbm.Dataset", int]]
) -> Iterator[None]:
    """Give data sets without an init_score a constant one, for the time of training."""
    lacking = [(data, size) for data, size in data_sets if _init_score(data) is None]
    for data_set, size in lacking:
        data_set.set_init_score(constant_scores(baseline, size))
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
    else:
        data_set._handle = None  # a construction may have failed
