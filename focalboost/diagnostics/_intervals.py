"""Intervals of shares."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

__all__ = ["wilson"]


def wilson(
    share: Any, n_rows: Any, level: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The score interval of a share of so many rows (Wilson 1927).

    Unlike the one from the standard error it stays inside [0, 1], and does not shrink
    to a point where none or all of the rows are positive. The number of rows may be an
    effective one, and is above 0.
    """
    z = float(ndtri((1 + level) / 2))
    p, n = np.asarray(share, np.float64), np.asarray(n_rows, np.float64)
    centre = p + z**2 / (2 * n)
    half = z * np.sqrt(p * (1 - p) / n + (z / (2 * n)) ** 2)
    low, high = (centre - half) / (1 + z**2 / n), (centre + half) / (1 + z**2 / n)
    return np.clip(low, 0.0, p), np.clip(high, p, 1.0)
