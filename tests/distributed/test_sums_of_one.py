"""What one of LightGBM's workers makes of what it is told, and of what it receives."""

import socket
from types import SimpleNamespace

import numpy as np
import pytest

from focalboost import focal_metric
from focalboost.distributed import _sums
from focalboost.distributed._sums import LocalSums, SumOverWorkers, _Peers, _Place

ADDRESSES = {"a": "tcp://10.0.0.1:4000", "b": "tls://10.0.0.2:4000"}


@pytest.fixture(params=ADDRESSES)
def own_host(request, monkeypatch):
    """The host of this worker, which has an address for Dask as well."""
    worker = SimpleNamespace(address=ADDRESSES[request.param])
    dask = SimpleNamespace(get_worker=lambda: worker)
    monkeypatch.setattr(_sums, "distributed", lambda: dask)
    return worker.address[6:14]


def place(**params):
    return _Place.of(params)


def test_the_port_tells_the_rank(own_host):
    hosts = ["10.0.0.2", "10.0.0.1", "10.0.0.2"]
    machines = "10.0.0.2:5,10.0.0.1:67,10.0.0.2:7"
    for rank, port in enumerate([5, 67, 7]):
        found = place(machines=machines, local_listen_port=port, time_out=3)
        assert found == (rank, hosts, 180.0)


def test_of_several_with_a_port_the_host_tells_the_rank(own_host):
    machines = "10.0.0.1:6,10.0.0.2:6,10.0.0.1:5,10.0.0.2:5"
    found = place(machines=machines, local_listen_port=5)
    assert found.rank == {"10.0.0.1": 2, "10.0.0.2": 3}[own_host]


def test_a_worker_alone_is_told_of_no_machines(own_host):
    """It waits as long as LightGBM does, two hours."""
    assert place() == (0, [""], 7200.0)


def test_the_sums_of_this_worker_have_names_of_their_own():
    metric = focal_metric()
    y, raw, weight = np.array([0, 1, 1]), np.array([-1, 0.5, 2]), np.array([1, 2, 0.5])
    names, values, _ = zip(*LocalSums(metric)(y, raw, weight), strict=True)
    np.testing.assert_array_equal(values, metric.sums(y, raw, weight))
    assert len(set(names)) == len(names)


class Result(tuple):
    """As LightGBM's since 4.7: a class of its own, made of the parts."""

    __slots__ = ()

    def __new__(cls, *parts):
        return super().__new__(cls, parts)


@pytest.mark.parametrize("kind", [tuple, Result])
def test_the_metric_takes_the_place_of_the_sums(kind, own_host):
    metric = focal_metric(gamma=1)
    sets = {}
    for name, n_rows in (("first", 30), ("second", 40)):
        rng = np.random.default_rng(n_rows)
        sets[name] = rng.integers(2, size=n_rows), rng.normal(size=n_rows), None
    callback = SumOverWorkers(metric, "job")
    for _ in range(2):
        results = [
            kind([name, *parts]) if kind is tuple else kind(name, *parts)
            for name, given in sets.items()
            for parts in LocalSums(metric)(*given)
        ]
        kept = results
        callback(SimpleNamespace(evaluation_result_list=results, params={}))
        assert kept == [
            (name, metric.__name__, pytest.approx(metric.relative_loss(*given)), False)
            for name, given in sets.items()
        ]
        assert {type(result) for result in kept} == {kind}


def test_the_connections_are_made_once(own_host, monkeypatch):
    made = []

    class Peers:
        def __init__(self, *_):
            made.append(self)

        def sum(self, values):
            return values

    monkeypatch.setattr(_sums, "_Peers", Peers)
    callback, metric = SumOverWorkers(focal_metric(), "job"), focal_metric()
    for _ in range(2):
        parts = LocalSums(metric)(np.array([0, 1]), np.zeros(2), None)
        results = [("valid", *part) for part in parts]
        callback(SimpleNamespace(evaluation_result_list=results, params={}))
    assert len(made) == 1


def test_it_comes_before_what_prints_records_and_stops():
    lightgbm = pytest.importorskip("lightgbm")
    later = [
        lightgbm.log_evaluation(),
        lightgbm.record_evaluation({}),
        lightgbm.early_stopping(3, verbose=False),
    ]
    assert SumOverWorkers.order < min(callback.order for callback in later)
    assert not SumOverWorkers.before_iteration


def test_the_others_hear_of_a_loss_at_once():
    peers = _Peers(_Place(0, [""], 10.0), "job")
    lost, left = socket.socketpair(), socket.socketpair()
    peers.connections = [lost[0], left[0]]
    lost[1].close()
    with pytest.raises(ConnectionError, match=r"ended .*\(the connection was"):
        peers.sum(np.ones(2))
    with left[1]:
        left[1].settimeout(1)
        assert left[1].recv(1) == b""


class Arriving:
    """A connection over which bytes arrive three at a time."""

    def __init__(self, data):
        self.data = data

    def recv(self, n_bytes):
        piece, self.data = self.data[: min(n_bytes, 3)], self.data[min(n_bytes, 3) :]
        return piece


def test_nothing_is_read_beyond_what_is_asked_for():
    """The rest belongs to the next sum."""
    connection = Arriving(b"1234567")
    assert _sums._received(connection, 4) == b"1234"
    assert _sums._received(connection, 3) == b"567"
    with pytest.raises(ConnectionError, match="the connection was closed"):
        _sums._received(connection, 1)
