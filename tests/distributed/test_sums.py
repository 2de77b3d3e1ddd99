"""The sums over the rows of LightGBM's workers, and what happens when one is lost."""

import os
import signal
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress

import dask
import distributed
import numpy as np
import pytest

from focalboost import focal_metric
from focalboost.distributed import lightgbm
from focalboost.distributed.lightgbm import summing_over_workers, total_of_workers

pytestmark = pytest.mark.slow

LOST = "A worker of this training has ended"
ONES = np.ones(2)
TWO = {"machines": "127.0.0.1:5,127.0.0.1:6"}


def adder(client, training):
    """The adder of a training that the test is."""
    return training.enter_context(summing_over_workers(client, focal_metric())).adder


@pytest.fixture
def training():
    with ExitStack() as training:
        yield training


def total(adder, values, params=TWO):
    return total_of_workers(adder, np.asarray(values), params)


def on_each_worker(client, *calls):
    """Futures of calls, each on a worker of its own, whose only thread it takes."""
    workers = sorted(client.nthreads())
    return [
        client.submit(*call, workers=[worker], pure=False)
        for call, worker in zip(calls, workers, strict=True)
    ]


def test_both_get_the_same_sum_in_every_round(client, training):
    shared = adder(client, training)
    values = np.array([[0.1, 1e300], [0.2, -1e300]])

    def rounds(own):
        return [total_of_workers(shared, own * i, TWO).tobytes() for i in range(1, 6)]

    found = client.gather(on_each_worker(client, *((rounds, one) for one in values)))
    expected = [(values * i).sum(axis=0).tobytes() for i in range(1, 6)]
    assert found == [expected, expected]


def test_the_order_of_arrival_changes_no_bit(client, training):
    shared, params = adder(client, training), {"machines": "a:1,b:1,c:1"}
    totals = set()
    for order in ([0.1, 0.2, 0.3], [0.3, 0.2, 0.1], [0.2, 0.3, 0.1]):
        with ThreadPoolExecutor(3) as pool:
            calls = []
            for value in order:
                calls.append(pool.submit(total, shared, [value], params))
                time.sleep(0.05)
            totals |= {call.result(30).item() for call in calls}
    assert totals == {0.1 + 0.2 + 0.3}


def test_two_trainings_do_not_meet(client, training):
    shared = [adder(client, training) for _ in range(2)]
    with ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(total, one, [10.0**i]) for i, one in enumerate(shared)]
        time.sleep(0.2)
        assert not any(call.done() for call in calls)
        calls += [pool.submit(total, one, [10.0**i]) for i, one in enumerate(shared)]
        assert [call.result(30).item() for call in calls] == [2, 20, 2, 20]


@pytest.mark.parametrize("seconds", [0, 1], ids=["at once", "later"])
def test_a_training_that_ends_leaves_no_worker_waiting(client, seconds):
    with ThreadPoolExecutor(1) as pool, ExitStack() as training:
        waiting = pool.submit(total, adder(client, training), [1.0])
        time.sleep(seconds)
        training.close()
        with pytest.raises(ConnectionError, match=LOST):
            waiting.result(10)


def test_a_worker_that_comes_after_the_end_is_told(client):
    with ExitStack() as training:
        shared = adder(client, training)
    with pytest.raises(ConnectionError, match=LOST):
        total(shared, [1.0])


def test_an_answer_that_never_comes_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(lightgbm, "SECONDS_BETWEEN_LOOKS", 0.1)

    class Ended:
        has_ended = True

        def total(self, values, n_workers):
            return Future()

    with pytest.raises(ConnectionError, match=LOST):
        total(Ended(), [1.0])


def test_the_other_worker_does_not_come(client, training, monkeypatch):
    monkeypatch.setattr(lightgbm, "SECONDS_BETWEEN_LOOKS", 0.1)
    with pytest.raises(ConnectionError, match=LOST):
        total(adder(client, training), [1.0], {**TWO, "time_out": 0.005})


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_the_worker_of_the_adder_is_killed():
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0"}
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "3s"}),
        distributed.LocalCluster(**options) as cluster,
        distributed.Client(cluster) as client,
        ExitStack() as training,
    ):
        shared = adder(client, training)
        place = client.who_has()[shared.key][0]
        other = (set(client.nthreads()) - {place}).pop()
        waiting = client.submit(
            lambda: total_of_workers(shared, ONES, TWO), workers=[other]
        )
        time.sleep(0.5)
        with suppress(OSError):  # there is no answer
            client.run(lambda: os.kill(os.getpid(), signal.SIGKILL), workers=[place])
        with pytest.raises(ConnectionError, match=LOST):
            waiting.result(60)  # a worker first imports what it calls


def test_nothing_is_left_on_the_scheduler(client):
    def tasks(dask_scheduler):
        return set(dask_scheduler.tasks)

    before = client.run_on_scheduler(tasks)

    def fail():
        with ExitStack() as training:
            shared = adder(client, training)
            assert shared.key in client.run_on_scheduler(tasks)
            raise KeyError(shared.key)

    with pytest.raises(KeyError) as kept:
        fail()
    for _ in range(100):  # the scheduler cancels in its own time
        if client.run_on_scheduler(tasks) <= before:
            break
        time.sleep(0.1)
    left = client.run_on_scheduler(tasks)
    assert kept.value.args[0] not in left
    assert left <= before
