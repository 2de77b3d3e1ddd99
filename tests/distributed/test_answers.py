"""Predictions by partition, on Dask's scheduler of a single process."""

import numpy as np
import pytest
from host_drivers import HOSTS, host_id

pytest.importorskip("dask")
import dask

from focalboost import FocalLoss
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


@pytest.mark.filterwarnings("ignore:.*Empty dataset at worker")
def test_xgboost_s_balance_sums_partitions_without_rows(rare):
    xgboost = pytest.importorskip("xgboost")
    from focalboost.distributed.xgboost import _names_of, _predicted

    X, y = rare
    params, options = (
        {"objective": "binary:logistic", "nthread": 1},
        {"missing": np.nan},
    )
    booster = xgboost.train(params, xgboost.DMatrix(X, y), 2)
    rows = {"data": without_rows(X.shape[1]), "label": y[:0]}
    part = _predicted(booster, FocalLoss(), (0, 0), options, rows)
    assert part.raw_prediction.shape == (0,)
    assert _names_of(rows, options) is None
