"""Sums over the workers of XGBoost's collective (Ray Train, Dask, Spark, a tracker).

Every worker has to take part in every sum, in the same order. An error that one worker
alone raises would leave the others waiting, so the workers first tell each other
whether one of them has failed.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from focalboost._validation import reject


def n_workers() -> int:
    """The number of workers that train together; 1 without a collective."""
    library = sys.modules.get("xgboost")
    return 1 if library is None else int(library.collective.get_world_size())


def over_workers(function: Callable[[], Any]) -> NDArray[np.float64]:
    """The sum over all workers of what a function returns on each of them."""
    with failing_together():
        sums = np.asarray(function(), dtype=np.float64)
    if n_workers() == 1:
        return sums
    # Two masses for each column are all that the rows of a worker decide.
    advice = "Pass labels of shape (0, T) where a worker has no rows."
    require_same("y_true", "of as many columns", sums.size // 2, advice)
    # XGBoost before 3.4 returns a flat array.
    return _allreduced(sums, "SUM").reshape(sums.shape)


@contextmanager
def failing_together() -> Iterator[None]:
    """If the block raises an error on some workers, raise it on all of them."""
    own: Exception | None = None
    try:
        yield
    except Exception as error:
        if n_workers() == 1:
            raise
        own = error
    if n_workers() == 1:
        return
    collective = sys.modules["xgboost"].collective
    nobody = n_workers()
    rank = nobody if own is None else collective.get_rank()
    first = int(_allreduced(np.array([rank]), "MIN")[0])
    if first < nobody:
        raise ValueError(
            f"On worker {first}: {collective.broadcast(str(own), first)}"
        ) from own


def require_same(name: str, rule: str, count: int, advice: str) -> None:
    """Check that a count is the same on all workers."""
    if n_workers() > 1:
        least, minus_most = _allreduced(np.array([count, -count]), "MIN").tolist()
        if least != -minus_most:
            reject(name, f"{rule} on every worker", [least, -minus_most], advice)


def _allreduced(values: NDArray[Any], operation: str) -> NDArray[Any]:
    collective = sys.modules["xgboost"].collective
    return np.asarray(collective.allreduce(values, collective.Op[operation]))
