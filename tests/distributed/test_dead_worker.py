"""A worker that is killed in the middle of training ends it with an error, at once."""

import os
import signal
import threading
import time

import distributed
import numpy as np
import pytest
from clusters import spread

import focalboost.distributed.lightgbm
import focalboost.distributed.xgboost

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore:Finding random open ports"),
]

ROUNDS = 1_000_000  # nobody gets there


def with_xgboost(client, X, y):
    from xgboost import dask

    data = dask.DaskDMatrix(client, X, y)
    focalboost.distributed.xgboost.train(
        client,
        {"verbosity": 0},
        data,
        ROUNDS,
        evals=[(data, "all")],
        verbose_eval=False,
    )


def with_lightgbm(client, X, y):
    focalboost.distributed.lightgbm.train(
        client, {"verbosity": -1}, X, y, ROUNDS, valid_sets=[(X, y)]
    )


@pytest.mark.parametrize(
    ("train", "n_workers"),
    [(with_xgboost, 2), (with_lightgbm, 2), (with_lightgbm, 1)],
)
def test_no_model_and_no_hang(train, n_workers):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20_000, 5))
    y = (X[:, 0] > 2).astype(np.float64)
    options = {"threads_per_worker": 1, "dashboard_address": ":0"}
    with (
        distributed.LocalCluster(n_workers=n_workers, **options) as cluster,
        distributed.Client(cluster) as client,
    ):
        killed = []
        arguments = (client, killed)
        threading.Thread(target=kill_one, args=arguments, daemon=True).start()
        with pytest.raises(Exception, match=r"(?i)allreduce|socket|worker"):
            train(client, *(spread(a, (10_000, 10_000)) for a in (X, y)))
        assert time.monotonic() - killed[0] < 60
        assert client.submit(sum, [1, 2]).result(timeout=60) == 3


def kill_one(client, killed):
    """Kill a worker that trains: on a busy machine another may hold no data."""
    while not (busy := training(client)):
        time.sleep(0.1)
    time.sleep(1)
    os.kill(client.run(os.getpid)[busy[0]], signal.SIGKILL)
    killed.append(time.monotonic())


def training(client):
    """The workers that are busy with the training, which XGBoost calls fn."""
    return [
        worker
        for worker, tasks in client.processing().items()
        if any(str(key).startswith(("fn-", "_train_part")) for key in tasks)
    ]
