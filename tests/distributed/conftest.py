"""A Dask cluster of two processes, and data whose bins are the same everywhere."""

from contextlib import ExitStack
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from clusters import CHUNKS, WITHOUT_POSITIVES
from scipy import special

#: What the client needs, until tests of another folder follow.
RUNNING = ExitStack()


@pytest.fixture(scope="module")
def client():
    return running_client()


@cache
def running_client():
    import dask
    import distributed

    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0"}
    no_moves = dask.config.set({"distributed.scheduler.work-stealing": False})
    RUNNING.enter_context(no_moves)
    cluster = RUNNING.enter_context(distributed.LocalCluster(**options))
    return RUNNING.enter_context(distributed.Client(cluster))


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(nextitem):
    """Idle workers would take a fifth of a core from all tests that follow."""
    if nextitem is None or nextitem.path.parent != Path(__file__).parent:
        RUNNING.close()
        running_client.cache_clear()


@pytest.fixture(scope="session")
def table():
    """Features of 20 values, so that every process finds the same bins; weights."""
    rng = np.random.default_rng(0)
    X = rng.integers(0, 20, (sum(CHUNKS), 5)).astype(np.float64)
    y = (rng.random(len(X)) < special.expit(-6 + 0.3 * X[:, 0])).astype(np.float64)
    y[WITHOUT_POSITIVES] = 0
    return X, y, rng.lognormal(size=len(X)).astype(np.float32)


@pytest.fixture(scope="session")
def classes(table):
    """Three classes, of which the third partition lacks the last."""
    y = table[0][:, 0] // 7
    y[WITHOUT_POSITIVES] = np.minimum(y[WITHOUT_POSITIVES], 1)
    return y
