"""A worker that is killed in the middle of training ends it with an error, at once."""

import os
import signal
import time

import distributed
import numpy as np
import pytest
from clusters import spread
from optional import xgboost

import focalboost.distributed.lightgbm
import focalboost.distributed.xgboost

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore:Finding random open ports"),
]

ROUNDS = 1_000_000  # nobody gets there
KILLED_IN = 5  # every worker trains by then


def killing(diary):
    """A function that ends the process of the last worker, and writes down when.

    Nested, so that it is sent as it is: workers cannot import this module.
    """

    def kill(round_, rank, n_workers):
        if round_ == KILLED_IN and rank == n_workers - 1:
            diary.write_text(str(time.time()))
            os.kill(os.getpid(), signal.SIGKILL)

    return kill


def with_xgboost(client, kill, X, y):
    from xgboost import dask

    class Killer(xgboost.callback.TrainingCallback):
        def after_iteration(self, model, epoch, evals_log):
            from xgboost import collective

            kill(epoch, collective.get_rank(), collective.get_world_size())

    data = dask.DaskDMatrix(client, X, y)
    options = {"evals": [(data, "all")], "callbacks": [Killer()]}
    focalboost.distributed.xgboost.train(
        client, {"verbosity": 0}, data, ROUNDS, verbose_eval=False, **options
    )


def with_lightgbm(client, kill, X, y):
    def killer(env):
        ports = [
            place.rpartition(":")[2] for place in env.params["machines"].split(",")
        ]
        rank = ports.index(str(env.params["local_listen_port"]))
        kill(env.iteration, rank, len(ports))

    options = {"valid_sets": [(X, y)], "callbacks": [killer]}
    focalboost.distributed.lightgbm.train(
        client, {"verbosity": -1}, X, y, ROUNDS, **options
    )


@pytest.mark.parametrize(
    ("train", "n_workers", "message"),
    [
        (with_xgboost, 2, r"(?i)allreduce|socket|worker"),  # XGBoost's own
        (with_lightgbm, 2, "[Ww]orker of this training has ended|[Ss]ocket"),
        (with_lightgbm, 1, "A worker of this training has ended"),
    ],
)
def test_no_model_and_no_hang(train, n_workers, message, tmp_path):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20_000, 5))
    y = (X[:, 0] > 2).astype(np.float64)
    options = {"threads_per_worker": 1, "dashboard_address": ":0"}
    diary = tmp_path / "diary"
    with (
        distributed.LocalCluster(n_workers=n_workers, **options) as cluster,
        distributed.Client(cluster) as client,
    ):
        rows = [spread(array, (10_000, 10_000)) for array in (X, y)]
        with pytest.raises(Exception, match=message):
            train(client, killing(diary), *rows)
        assert time.time() - float(diary.read_text()) < 60
        assert client.submit(sum, [1, 2]).result(timeout=60) == 3
