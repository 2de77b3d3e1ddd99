"""The metric of LightGBM on a Dask cluster: sums over the rows of all workers.

LightGBM evaluates a metric on the rows of each worker alone, lets each worker stop
early by its own value, and has no function that adds up numbers over the workers. Here
a Dask actor on one of the workers adds them up.
"""

import asyncio
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from focalboost.objectives import FocalMetric

SECONDS_BETWEEN_LOOKS = 5.0
SECONDS_TO_END = 5.0
DEFAULT_TIME_OUT = 120  # minutes, LightGBM's own

LOST = "Another worker of this training has ended. There is no model; train again."


class LocalSums:
    """A metric for LightGBM: the sums over the rows of this worker, one by one."""

    def __init__(self, metric: FocalMetric) -> None:
        self.metric = metric

    # Three parameters: LightGBM counts them.
    def __call__(self, y_true: Any, raw_prediction: Any, sample_weight: Any) -> Any:
        """Return a list of (name, value, is_higher_better)."""
        sums = self.metric.sums(y_true, raw_prediction, sample_weight)
        return [(f"sum{i}", value, False) for i, value in enumerate(sums)]


@contextmanager
def summing_over_workers(client: Any, metric: FocalMetric) -> Iterator[Any]:
    """Yield the callback of one training; at its end no worker waits for others."""
    future = client.submit(Adder, actor=True, pure=False)
    adder = future.result()
    try:
        yield SumOverWorkers(metric, adder)
    finally:
        with suppress(Exception):  # the worker of the adder may end at any time
            if future.done():
                adder.end().result(SECONDS_TO_END)
        future.cancel()  # whoever still holds it, as the traceback of an error does


class Adder:
    """An actor that adds up one array of each worker, round by round."""

    has_ended = False

    def __init__(self) -> None:
        self._arrays: list[NDArray[np.float64]] = []
        self._total: asyncio.Future[NDArray[np.float64]] | None = None

    # Asynchronous methods run on the event loop of the actor's worker, whose only
    # thread for tasks may be training.
    async def total(
        self, values: NDArray[np.float64], n_workers: int
    ) -> NDArray[np.float64]:
        """Wait for the arrays of all workers, and return their sum."""
        if self._total is None:
            self._total = asyncio.get_running_loop().create_future()
        total = self._total
        self._arrays.append(values)
        if len(self._arrays) == n_workers:
            # Sorted: in the order of arrival the last bits would differ between runs.
            total.set_result(np.sort(self._arrays, axis=0).sum(axis=0))
            self._arrays, self._total = [], None
        return await total

    async def end(self) -> None:
        """Let nobody wait any more."""
        self.has_ended = True
        if self._total is not None:
            self._total.set_exception(ConnectionError(LOST))


class SumOverWorkers:
    """A callback for LightGBM that makes local sums the metric of all rows.

    It comes before the callbacks that print, record and stop early, so that every
    worker stops at the same round.
    """

    order = 5
    before_iteration = False

    def __init__(self, metric: FocalMetric, adder: Any) -> None:
        self.metric = metric
        self.adder = adder

    def __call__(self, env: Any) -> None:
        """Replace the results of the evaluation sets in place."""
        results = env.evaluation_result_list
        kind = type(results[0])  # a class of LightGBM's since 4.7
        local: dict[str, list[float]] = {}
        for name, _, value, *_ in results:
            local.setdefault(name, []).append(value)
        totals = _total(self.adder, np.array(list(local.values())), env.params)
        values = [
            (name, self.metric.__name__, self.metric.of_sums(total), False)
            for name, total in zip(local, totals, strict=True)
        ]
        results[:] = values if kind is tuple else [kind(*value) for value in values]


def _total(
    adder: Any, values: NDArray[np.float64], params: Mapping[str, Any]
) -> NDArray[np.float64]:
    """The sum of the arrays of all workers, or an error if one of them has ended."""
    n_workers = str(params.get("machines", "")).count(",") + 1
    if n_workers == 1:
        return values
    seconds = 60 * float(params.get("time_out") or DEFAULT_TIME_OUT)
    try:
        answer = adder.total(values, n_workers)
        for _ in range(math.ceil(seconds / SECONDS_BETWEEN_LOOKS)):
            with suppress(TimeoutError):
                return np.asarray(answer.result(SECONDS_BETWEEN_LOOKS))
            if adder.has_ended:  # which fails if the worker of the adder has ended
                break
    except Exception as error:
        raise ConnectionError(LOST) from error
    raise ConnectionError(LOST)
