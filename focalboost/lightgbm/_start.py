"""Lets a LightGBM training start from the baseline.

LightGBM has no constant start for a callable objective but init_score, one number for
every row of every data set.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

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
    _construct(train_set, params)
    if train_set.get_init_score() is not None:
        yield 0.0
        return
    baseline = loss.baseline(train_set.get_label(), weights_of(train_set))
    for valid_set in valid_sets:
        if valid_set is not train_set:
            _construct(valid_set, params, reference=train_set)
    with _init_scores(baseline, [train_set, *valid_sets]):
        yield baseline


def _construct(
    data_set: "lightgbm.Dataset",
    params: Mapping[str, Any],
    reference: "lightgbm.Dataset | None" = None,
) -> None:
    """Build the data set as lightgbm.train would, so that its labels can be read.

    A data set that has served to continue a model keeps that model's predictions as
    init_score; they are dropped, or they would pass for the user's.
    """
    continued = data_set._predictor is not None
    data_set._update_params({**params, "objective": "none"})
    data_set._set_predictor(None)
    if reference is not None:
        data_set.set_reference(reference)
    data_set.construct()
    if continued:
        _clear_init_score(data_set)


@contextmanager
def _init_scores(
    baseline: float, data_sets: list["lightgbm.Dataset"]
) -> Iterator[None]:
    """Give data sets without an init_score a constant one, for the time of training."""
    lacking = [data_set for data_set in data_sets if data_set.get_init_score() is None]
    for data_set in lacking:
        data_set.set_init_score(np.full(data_set.num_data(), baseline))
    try:
        yield
    finally:
        for data_set in lacking:
            _clear_init_score(data_set)


def _clear_init_score(data_set: "lightgbm.Dataset") -> None:
    """set_init_score(None) leaves the scores in LightGBM's own memory."""
    data_set.set_field("init_score", None)
    data_set.init_score = None
