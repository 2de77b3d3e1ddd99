"""The class masses of a training: the weight of each class, on all workers."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from focalboost._validation import reject
from focalboost.losses import FocalLoss, Loss

#: By which the masses of some rows may exceed those of all rows, relative: hosts hold
#: weights in float32.
_ROUNDING = 1e-6


def masses_of(loss: Loss, target: tuple[Any, Any]) -> NDArray[np.float64]:
    """The class masses of labels and weights."""
    return np.asarray(loss.class_masses(*target), dtype=np.float64)


def checked_masses(class_masses: Any, own: NDArray[np.float64]) -> NDArray[np.float64]:
    """The class masses of all rows, given those of the rows of this process."""
    advice = (
        "Pass loss.class_masses(y, sample_weight) of all rows, or the sum of what it "
        "returns for each worker. FocalLoss has the positives first."
    )
    try:
        masses = np.asarray(class_masses, dtype=np.float64)
    except (TypeError, ValueError):
        masses = np.array(np.nan)
    if masses.shape != own.shape or not np.all(np.isfinite(masses) & (masses >= 0)):
        rule = f"finite numbers >= 0 of the shape {own.shape}"
        reject("class_masses", rule, class_masses, advice)
    if np.any(masses < own * (1 - _ROUNDING)):
        rule = f"at least those of the rows here, {own.tolist()}"
        reject("class_masses", rule, class_masses, advice)
    return masses


def rows_of_masses(
    loss: Loss, masses: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Labels and weights of one row for each class, with the baseline of all rows."""
    codes = np.arange(len(masses), dtype=np.float64)
    if isinstance(loss, FocalLoss):
        codes = codes[::-1]  # it has the positives' masses first
    labels = codes.reshape(-1, *[1] * (masses.ndim - 1))
    return np.broadcast_to(labels, masses.shape), masses
