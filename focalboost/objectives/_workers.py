"""Sums over the workers of a distributed training with XGBoost.

XGBoost evaluates a callable metric on the rows of each worker and takes the plain mean
over the workers, whatever their rows weigh. If every worker returns the value for all
rows, their mean is that value.
"""

import sys

import numpy as np
from numpy.typing import NDArray

__all__ = ["over_workers"]


def over_workers(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """The sums over all workers that train together; those of one alone are returned.

    Every worker has to call it, as XGBoost's own metrics do.
    """
    library = sys.modules.get("xgboost")
    if library is None or library.collective.get_world_size() == 1:
        return sums
    total = library.collective.allreduce(sums, library.collective.Op.SUM)
    return np.asarray(total, dtype=np.float64)
