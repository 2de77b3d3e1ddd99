"""Predictions by partition, on Dask's scheduler of a single process."""

import numpy as np
import pytest
from host_drivers import HOSTS, host_id

pytest.importorskip("dask")
import dask

from focalboost.distributed._cluster import answers_of, array_of


def without_rows(n_columns):
    """An array off its alignment, as a message between workers may bring it."""
    memory = memoryview(bytearray(17))[1:]
    return np.ndarray((0, n_columns), np.float64, buffer=memory)


@pytest.mark.parametrize("host", HOSTS, ids=host_id)
@pytest.mark.parametrize("method", ["predict", "predict_proba"])
def test_a_partition_without_rows_lies_anywhere_in_memory(host, method, rare):
    X, y = rare
    model = host.estimator(n_estimators=3).fit(X, y)
    parts = [dask.delayed(X), dask.delayed(without_rows)(X.shape[1])]
    rows = array_of(parts, [len(X), 0], X.shape[1:])
    answers = answers_of(model, method, rows)
    with dask.config.set(scheduler="synchronous"):
        found, nothing = dask.compute(*answers.to_delayed().ravel())
    np.testing.assert_array_equal(found, getattr(model, method)(X))
    assert nothing.shape == (0, *found.shape[1:])
