"""Sums over the workers of a distributed training with LightGBM.

LightGBM evaluates metrics on the rows of each worker alone, lets each worker stop early
by its own, and has no function that adds numbers up over the workers. Here the worker
of rank 0 adds them up, over a connection to each of the others.
"""

import hmac
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from focalboost.distributed._cluster import distributed
from focalboost.objectives import FocalMetric

__all__ = ["LocalSums", "SumOverWorkers"]

SECONDS_PER_MINUTE = 60
DEFAULT_TIME_OUT = 120  # minutes, LightGBM's own
SECONDS_OF_AN_INTRODUCTION = 10  # a worker says who it is as soon as it connects


class LocalSums:
    """A metric for LightGBM: the sums of the rows of this worker, one by one."""

    def __init__(self, metric: FocalMetric) -> None:
        self.metric = metric

    # Three parameters: LightGBM counts them.
    def __call__(self, y_true: Any, raw_prediction: Any, sample_weight: Any) -> Any:
        """Return a list of (name, value, is_higher_better)."""
        sums = self.metric.sums(y_true, raw_prediction, sample_weight)
        return [(f"sum{i}", value, False) for i, value in enumerate(sums)]


class _Place(NamedTuple):
    """A worker among those of its training."""

    rank: int
    hosts: list[str]
    time_out: float  #: seconds

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> "_Place":
        """The place that LightGBM has been told by its parameters."""
        machines = str(params.get("machines", "")).split(",")
        own_port, own_host = str(params.get("local_listen_port")), _own_host()
        ports = [machine.rpartition(":")[2] for machine in machines]
        hosts = [machine.rpartition(":")[0] for machine in machines]
        ranks = [i for i, port in enumerate(ports) if port == own_port]
        if len(ranks) > 1:
            ranks = [i for i in ranks if hosts[i] == own_host]
        minutes = float(params.get("time_out") or DEFAULT_TIME_OUT)
        return cls(ranks[0] if ranks else 0, hosts, minutes * SECONDS_PER_MINUTE)


def _own_host() -> str:
    address: str = distributed().get_worker().address
    return address.rpartition("//")[2].rpartition(":")[0]


class SumOverWorkers:
    """A callback for LightGBM that makes local sums the metric of all rows.

    It comes before the callbacks that print, record and stop early, so that every
    worker stops at the same round.
    """

    order = 5
    before_iteration = False

    def __init__(self, metric: FocalMetric, job: str) -> None:
        self.metric = metric
        self.job = job
        self._peers: _Peers | None = None

    def __call__(self, env: Any) -> None:
        """Replace the results of the evaluation sets in place."""
        results = env.evaluation_result_list
        kind = type(results[0])  # a class of LightGBM's since 4.7
        local: dict[str, list[float]] = {}
        for name, _, value, *_ in results:
            local.setdefault(name, []).append(value)
        if self._peers is None:
            self._peers = _Peers(_Place.of(env.params), self.job)
        totals = self._peers.sum(np.array(list(local.values())))
        values = [
            (name, self.metric.__name__, self.metric.of_sums(total), False)
            for name, total in zip(local, totals, strict=True)
        ]
        results[:] = values if kind is tuple else [kind(*value) for value in values]


class _Peers:
    """Connections from the worker of rank 0 to all others.

    A worker that ends closes its connections, which ends the others with an error.
    """

    def __init__(self, place: _Place, job: str) -> None:
        self.rank = place.rank
        self.connections: list[socket.socket] = []
        with self._naming_a_loss():
            if place.rank > 0:
                self.connections = [_connected(place, job)]
            elif len(place.hosts) > 1:
                self._accept(place, job)

    @contextmanager
    def _naming_a_loss(self) -> Iterator[None]:
        """Say of a connection that is closed, reset or silent what that means."""
        try:
            yield
        except OSError as error:
            for connection in self.connections:
                connection.close()  # so that the others need not wait
            raise ConnectionError(
                "Another worker of this training has ended or is not heard of any "
                f"more ({error}). There is no model; train again."
            ) from error

    def _accept(self, place: _Place, job: str) -> None:
        """Wait for all others."""
        meeting = _variable(job)
        with socket.create_server((place.hosts[0], 0)) as server:
            server.settimeout(place.time_out)
            meeting.set(server.getsockname())
            while len(self.connections) < len(place.hosts) - 1:
                connection = server.accept()[0]
                if _knows(job, connection):
                    connection.settimeout(place.time_out)
                    self.connections.append(connection)
                else:
                    connection.close()
        meeting.delete()

    def __del__(self) -> None:
        for connection in self.connections:
            connection.close()

    def sum(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The sum of the arrays of all workers, the same to the last bit on each."""
        with self._naming_a_loss():
            if self.rank == 0:
                for connection in self.connections:
                    values = values + _array_of(connection, values)
            for connection in self.connections:
                connection.sendall(values.tobytes())
            if self.rank > 0:
                values = _array_of(self.connections[0], values)
        return values


def _connected(place: _Place, job: str) -> socket.socket:
    """A connection to the worker of rank 0, which is shown the job's name."""
    address = tuple(_variable(job).get(timeout=place.time_out))
    connection = socket.create_connection(address, place.time_out)
    connection.sendall(job.encode())
    return connection


def _knows(job: str, connection: socket.socket) -> bool:
    """Whether the other end is of this training: any other does not know the job."""
    token = job.encode()
    connection.settimeout(SECONDS_OF_AN_INTRODUCTION)
    try:
        return hmac.compare_digest(_received(connection, len(token)), token)
    except OSError:
        return False


def _array_of(
    connection: socket.socket, like: NDArray[np.float64]
) -> NDArray[np.float64]:
    """An array of the same shape, received."""
    return np.frombuffer(_received(connection, like.nbytes)).reshape(like.shape)


def _received(connection: socket.socket, n_bytes: int) -> bytearray:
    data = bytearray()
    while len(data) < n_bytes:
        piece = connection.recv(n_bytes - len(data))
        if not piece:
            raise ConnectionError("the connection was closed")
        data += piece
    return data


def _variable(job: str) -> Any:
    """A variable of the cluster, of this job."""
    return distributed().Variable(job, client=distributed().get_client())
