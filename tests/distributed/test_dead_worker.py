"""A worker that is killed in the middle of training ends it with an error, at once."""

import os
import signal
import time
from contextlib import contextmanager

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


def killing(diary, victim):
    """A function that ends the process of a worker by its rank, and writes down when.

    Nested, so that it is sent as it is: workers cannot import this module.
    """

    def kill(round_, rank):
        if round_ == KILLED_IN and rank == victim:
            diary.write_text(str(time.time()))
            os.kill(os.getpid(), signal.SIGKILL)

    return kill


def with_xgboost(client, kill, X, y):
    from xgboost import dask

    class Killer(xgboost.callback.TrainingCallback):
        def after_iteration(self, model, epoch, evals_log):
            from xgboost import collective

            kill(epoch, collective.get_rank())

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
        kill(env.iteration, rank)

    options = {"valid_sets": [(X, y)], "callbacks": [killer]}
    focalboost.distributed.lightgbm.train(
        client, {"verbosity": -1}, X, y, ROUNDS, **options
    )


@pytest.mark.parametrize(
    ("train", "n_workers", "victim", "message"),
    [
        (with_xgboost, 2, 1, r"(?i)allreduce|socket|worker"),  # XGBoost's own
        (with_lightgbm, 2, 0, "[Ww]orker of this training has ended|[Ss]ocket"),
        (with_lightgbm, 2, 1, "[Ww]orker of this training has ended|[Ss]ocket"),
        (with_lightgbm, 1, 0, "A worker of this training has ended"),
    ],
)
def test_no_model_and_no_hang(train, n_workers, victim, message, tmp_path):
    diary = tmp_path / "diary"
    with cluster_of(n_workers) as client:
        with pytest.raises(Exception, match=message):
            train(client, killing(diary, victim), *rows())
        assert time.time() - float(diary.read_text()) < 60
        every_worker_is_free(client, n_workers)


def test_an_error_on_one_worker_ends_the_training_of_all():
    def stumble(round_, rank):
        if round_ == KILLED_IN and rank == 0:
            raise ZeroDivisionError("of a callback of the user")

    with cluster_of(2) as client:
        begin = time.time()
        with pytest.raises(Exception, match=r"of a callback of the user|[Ss]ocket"):
            with_lightgbm(client, stumble, *rows())
        assert time.time() - begin < 30
        every_worker_is_free(client, 2)


@contextmanager
def cluster_of(n_workers):
    options = {"threads_per_worker": 1, "dashboard_address": ":0"}
    with (
        distributed.LocalCluster(n_workers=n_workers, **options) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20_000, 5))
    y = (X[:, 0] > 2).astype(np.float64)
    return [spread(array, (10_000, 10_000)) for array in (X, y)]


def every_worker_is_free(client, n_workers):
    """The only thread of each worker does what it is told, the restarted one's too."""
    client.wait_for_workers(n_workers, timeout=60)
    calls = [
        client.submit(sum, [1, 2], workers=[worker], pure=False)
        for worker in client.nthreads()
    ]
    assert [call.result(timeout=60) for call in calls] == [3] * n_workers
