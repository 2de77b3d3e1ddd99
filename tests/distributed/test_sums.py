"""The sums over LightGBM's workers when others come, go, or say nothing."""

import socket
import struct
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import distributed
import numpy as np
import pytest

from focalboost.distributed import _sums
from focalboost.distributed._sums import _Peers, _Place

pytestmark = pytest.mark.slow

RESET = struct.pack("ii", 1, 0)  # closing then resets the connection
LOST = "Another worker of this training has ended or is not heard of any more"


def peers(rank, job, time_out=30.0):
    return _Peers(_Place(rank, ["127.0.0.1", "127.0.0.1"], time_out), job)


@contextmanager
def pair(client, before=lambda address: None):
    """The peers of ranks 0 and 1; `before` the second joins, others may come."""
    job = str(uuid.uuid4())
    with ExitStack() as closing, ThreadPoolExecutor(1) as pool:
        first = pool.submit(peers, 0, job)
        address = tuple(distributed.Variable(job, client=client).get(timeout=30))
        assert address[0] == "127.0.0.1"  # not on every network of the machine
        before(address)
        both = [peers(1, job)]
        both.insert(0, first.result(30))
        for one in both:
            closing.enter_context(one.connections[0])
        yield both


def sums(both, *values):
    """What the two make of a value each, at the same time."""
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(both[0].sum, values[0])
        return both[1].sum(values[1]), first.result(30)


def test_both_get_the_same_sum(client):
    values = [np.array([[0.1, 1e300]]), np.array([[0.2, -1e300]])]
    with pair(client) as both:
        first, second = sums(both, *values)
        assert [one.connections[0].gettimeout() for one in both] == [30, 30]
    assert first.tobytes() == second.tobytes()
    np.testing.assert_array_equal(first, values[0] + values[1])


def test_the_first_waits_for_all_others(client):
    job, hosts = str(uuid.uuid4()), ["127.0.0.1"] * 3

    def total(rank):
        one = _Peers(_Place(rank, hosts, 30.0), job)
        values = one.sum(np.array([10.0**rank]))
        for connection in one.connections:
            connection.close()
        return values

    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(total, range(3))) == [111] * 3


def closed(connection):
    connection.close()


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    connection.close()


def silent(connection):
    pass


@pytest.mark.parametrize("lose", [closed, reset, silent])
@pytest.mark.parametrize("rank", [0, 1])
def test_a_lost_worker_is_named(client, rank, lose):
    with pair(client) as both:
        both[rank].connections[0].settimeout(0.5)
        lose(both[1 - rank].connections[0])
        with pytest.raises(ConnectionError, match=LOST):
            both[rank].sum(np.ones(3))


@pytest.mark.parametrize("rank", [0, 1])
def test_the_other_worker_does_not_come(client, rank):
    with pytest.raises(ConnectionError, match=LOST):
        peers(rank, str(uuid.uuid4()), time_out=0.2)


def test_the_first_worker_is_gone(client):
    job = str(uuid.uuid4())
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))  # nobody else's, and nobody listens
        distributed.Variable(job, client=client).set(place.getsockname())
        with pytest.raises(ConnectionError, match=LOST):
            peers(1, job)


def test_nothing_is_left_on_the_scheduler(client):
    def names(dask_scheduler):
        return list(dask_scheduler.extensions["variables"].variables)

    before = client.run_on_scheduler(names)
    with pair(client) as both:
        assert len(both) == 2
    assert set(client.run_on_scheduler(names)) <= set(before)


@pytest.mark.parametrize("leave", [closed, reset, silent])
@pytest.mark.parametrize("said", [b"", b"?" * 100], ids=["nothing", "a wrong name"])
def test_strangers_do_not_disturb(client, monkeypatch, leave, said):
    monkeypatch.setattr(_sums, "SECONDS_OF_AN_INTRODUCTION", 3)
    strangers = []

    def stranger(address):
        strangers.append(socket.create_connection(address))
        strangers[0].sendall(said)
        leave(strangers[0])

    with pair(client, before=stranger) as both:
        strangers[0].close()
        np.testing.assert_array_equal(sums(both, np.ones(2), np.ones(2)), 2)
