"""LightGBM on a Dask cluster with the focal loss.

LightGBM evaluates a metric on the rows of each worker alone, lets each worker stop
early by its own value, and has no function that adds up numbers over the workers. Here
a Dask actor on one of the workers adds them up. If a worker ends, LightGBM may wait for
it for ever. Here a thread of the client ends the training.
"""

import asyncio
import warnings
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from threading import Event, Thread
from time import monotonic
from typing import Any

import numpy as np
from numpy.typing import NDArray

from focalboost._hosts._imports import import_host
from focalboost._hosts._params import (
    Balance,
    balance_to_make,
    checked_balance,
    one_value,
    rows_of_masses,
    warn_of_no_split,
)
from focalboost._validation import reject
from focalboost.distributed._cluster import (
    Table,
    client_of,
    dask,
    delayed,
    parts_of,
    total_of,
)
from focalboost.estimators._rows import as_arguments
from focalboost.lightgbm._data_sets import KeepParameters, as_in_model, baseline_of
from focalboost.lightgbm._model import (
    booster_of,
    earlier_balance_of,
    errors_explained,
    finished,
    has_split,
    model_to_continue,
)
from focalboost.lightgbm._params import (
    METRIC,
    Plan,
    make_plan,
    rounds_apart,
)
from focalboost.losses import Loss
from focalboost.losses._balance import Part, Total, balancing_shift_of_parts
from focalboost.losses._evaluate import as_floating
from focalboost.objectives import Curvature, FocalMetric

__all__ = ["train"]

SECONDS_BETWEEN_LOOKS = 1.0
DEFAULT_TIME_OUT = 120  # minutes, LightGBM's own

LOST = "A worker of this training has ended. There is no model; train again."


def train(
    client: Any,
    params: Mapping[str, Any],
    X: Any,
    y: Any,
    num_boost_round: int = 100,
    *,
    sample_weight: Any = None,
    loss: Loss | None = None,
    curvature: Curvature = "certified",
    max_learning_rate: float | None = None,
    balance: Balance = True,
    valid_sets: Sequence[tuple[Any, ...]] = (),
    valid_names: Sequence[str] | None = None,
    init_model: Any = None,
    callbacks: Sequence[Any] | None = None,
) -> dict[str, Any]:
    """Train a LightGBM model with the focal loss on a Dask cluster.

    The baseline and the relative focal loss are those of the rows of all workers, and
    so is early stopping (``early_stopping_round`` in ``params``). LightGBM itself
    evaluates and stops on each worker by its own rows. Partitions may be empty, or have
    one class.

    Parameters
    ----------
    client : distributed.Client or None
        None is the default client.
    params : dict
        LightGBM's parameters. A ``metric`` raises an error, because LightGBM has none
        for the rows of all workers.
    X, y, sample_weight : Dask arrays, or data frames and series
        Features, labels and weights, in as many partitions. Labels are 0 to K - 1.
    num_boost_round, valid_names, init_model : as in ``lightgbm.train``
        The host's own arguments.
    loss, curvature, max_learning_rate, balance : as in ``focalboost.lightgbm.train``
        See there.
    valid_sets : sequence of (X, y) or (X, y, sample_weight)
        Each has at least as many rows as X has partitions with rows.
    callbacks : list of callables, optional
        They run on every worker, and what they record stays there.

    Returns
    -------
    dict
        ``{"booster": lightgbm.Booster, "history": dict}``. The booster is finalised, as
        by ``focalboost.lightgbm.train``.

    Raises
    ------
    ValueError
        As in ``focalboost.lightgbm.train``.

    Examples
    --------
    >>> import dask.array
    >>> from dask.distributed import Client
    >>> import focalboost.distributed.lightgbm
    >>> from focalboost import FocalLoss
    >>> X = dask.array.arange(600.0, chunks=300).reshape(-1, 1)
    >>> options = {"n_workers": 1, "processes": False, "dashboard_address": ":0"}
    >>> params = {"verbosity": -1, "min_data_in_leaf": 5}
    >>> with Client(**options) as client:
    ...     result = focalboost.distributed.lightgbm.train(
    ...         client, params, X, X[:, 0] > 550, 20, loss=FocalLoss(gamma=2)
    ...     )
    Finding random open ports for workers
    >>> sorted(result)
    ['booster', 'history']
    """
    import_host("lightgbm")
    client = client_of(client)
    params, num_boost_round = rounds_apart(params, num_boost_round)
    if init_model is not None:
        init_model = booster_of(init_model, "init_model")
        X = as_in_model(init_model, X)
    plan = make_plan(params, loss, None, curvature, max_learning_rate)
    loss = plan.objective.loss
    table, masses = _table_and_masses(client, loss, X, y, sample_weight)
    host = fitted_host(
        client,
        plan,
        table,
        [_table_and_masses(client, loss, *given)[0] for given in valid_sets],
        target=rows_of_masses(loss, masses),
        balance=checked_balance(balance, "balance", bool(valid_sets)),
        n_estimators=num_boost_round,
        eval_names=None if valid_names is None else list(valid_names),
        init_model=init_model,
        callbacks=callbacks,
    )
    return {"booster": host.booster_, "history": dict(host.evals_result_ or {})}


def _table_and_masses(
    client: Any, loss: Loss, X: Any, y: Any, sample_weight: Any = None
) -> tuple[Table, NDArray[np.float64]]:
    """Rows with labels 0 to K - 1, and their class masses, checked where they lie."""
    parts = parts_of({"X": X, "y": y, "sample_weight": sample_weight})

    def look(labels: Any, weights: Any = None) -> tuple[int, NDArray[np.float64]]:
        return len(labels), np.asarray(loss.class_masses(labels, weights))

    columns = {
        name: [delayed(_column)(name, part) for part in parts[name]]
        for name in parts
        if name != "X"
    }
    calls = list(map(delayed(look), *columns.values()))
    found = client.gather(client.compute(calls))
    keep = [i for i, (n_rows, _) in enumerate(found) if n_rows > 0]
    if not keep:
        reject("y", "labels of one row or more", "no row", "Pass rows.")
    kept = {name: [of[i] for i in keep] for name, of in (parts | columns).items()}
    table = Table([found[i][0] for i in keep], kept, {"X": X})
    return table, np.sum([masses for _, masses in found], axis=0)


def _column(name: str, values: Any) -> NDArray[np.float64]:
    """One number for each row."""
    array: NDArray[Any] = as_floating(name, np.asarray(values))[1]
    if array.ndim == 2 and array.shape[1] != 1:
        advice = "LightGBM has no multilabel models: train a model for each label."
        reject(name, "a single column", array.shape, advice)
    return array.reshape(len(array)).astype(np.float64)


def fitted_host(
    client: Any,
    plan: Plan,
    table: Table,
    evaluation: list[Table],
    *,
    target: tuple[Any, Any],
    balance: Balance,
    n_estimators: int,
    init_model: Any,
    callbacks: Sequence[Any] | None,
    classes: Any = None,
    **options: Any,
) -> Any:
    """LightGBM's regressor, fitted on the cluster, with a finalised booster.

    It is a regressor, because a classifier encodes the labels of each worker anew. The
    baseline is that of labels and weights (target), unless a model is continued.
    """
    metric, loss = plan.metric, plan.objective.loss
    if metric is None:
        rule = "left out for the relative focal loss of all rows"
        advice = "LightGBM evaluates any other on the rows of each worker alone."
        reject("metric", rule, one_value(plan.params, METRIC), advice)
    model = model_to_continue(init_model, loss)
    baseline = baseline_of(loss, *target) if model is None else None
    if baseline is not None:
        options["init_score"] = table.constant(baseline)
    evaluation = [
        one.in_pieces(len(table.sizes), f"evaluation set {i}")
        for i, one in enumerate(evaluation)
    ]
    callbacks = [KeepParameters(), *(callbacks or ())]
    host = _regressor({**plan.params, "client": client, "n_estimators": n_estimators})
    with warnings.catch_warnings(), ExitStack() as training:
        if evaluation:
            options |= _evaluated(host, metric, evaluation, baseline)
            summing = summing_over_workers(client, metric)
            callbacks.append(training.enter_context(summing))
        training.enter_context(_ends_with_its_workers(client))
        training.enter_context(errors_explained(plan.params))
        # LightGBM says so of its own default.
        warnings.filterwarnings("ignore", "Parameter n_jobs will be ignored")
        host.fit(
            **table.collections(), init_model=model, callbacks=callbacks, **options
        )
    shift = None
    start = 0.0 if baseline is None else baseline
    if balance_to_make(balance, loss, plan.objective.curvature):
        rows = table if balance is True else evaluation[-1]
        total = _total_of_predicted(client, host.booster_, start, rows)
        shift = balancing_shift_of_parts(loss, total, earlier_balance_of(model))
    finished(host.booster_, start, loss, shift, classes)
    warn_of_no_split(has_split(host.booster_), loss)
    return host


def _regressor(params: Mapping[str, Any]) -> Any:
    """A regressor of LightGBM without its own defaults.

    They would count more than another name of the parameter.
    """
    from lightgbm.dask import DaskLGBMRegressor

    defaults: dict[str, Any] = dict.fromkeys(DaskLGBMRegressor().get_params())
    return DaskLGBMRegressor(**{**defaults, **params})


def _evaluated(
    host: Any, metric: FocalMetric, evaluation: list[Table], baseline: Any
) -> dict[str, Any]:
    """The arguments of LightGBM's fit for evaluation sets."""
    sets = [table.collections() for table in evaluation]
    arguments = as_arguments(host.fit, [(one["X"], one["y"]) for one in sets])
    arguments["eval_metric"] = partial(local_sums, metric)
    if any("sample_weight" in one for one in sets):
        arguments["eval_sample_weight"] = [
            one.get("sample_weight", table.constant(1.0))
            for table, one in zip(evaluation, sets, strict=True)
        ]
    if baseline is not None:
        starts = [table.constant(baseline) for table in evaluation]
        arguments["eval_init_score"] = starts
    return arguments


def _total_of_predicted(client: Any, booster: Any, baseline: Any, rows: Table) -> Total:
    """What adds up over the rows of a table, with their raw predictions."""
    predict, model = delayed(_predicted), delayed(booster.model_to_string())
    calls = [
        predict(model, baseline, dict(zip(rows.parts, part, strict=True)))
        for part in zip(*rows.parts.values(), strict=True)
    ]
    return total_of(client, client.compute(calls))


def _predicted(text: str, baseline: Any, rows: Mapping[str, Any]) -> Part:
    """The part of a partition, whose raw predictions start from a baseline."""
    booster = import_host("lightgbm").Booster(model_str=text)
    raw = np.asarray(booster.predict(rows["X"], raw_score=True, num_threads=1))
    return Part(np.asarray(rows["y"]), raw + baseline, rows.get("sample_weight"), 1)


# LightGBM passes three arguments, because it counts three parameters.
def local_sums(
    metric: FocalMetric, y_true: Any, raw_prediction: Any, sample_weight: Any
) -> list[tuple[str, float, bool]]:
    """A metric for LightGBM: the sums over the rows of this worker, one by one."""
    sums = metric.sums(y_true, raw_prediction, sample_weight)
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
                adder.end().result(5.0)
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
        sums = np.array(list(local.values()))
        totals = total_of_workers(self.adder, sums, env.params)
        values = [
            (name, self.metric.__name__, self.metric.of_sums(total), False)
            for name, total in zip(local, totals, strict=True)
        ]
        results[:] = values if kind is tuple else [kind(*value) for value in values]


def total_of_workers(
    adder: Any, values: NDArray[np.float64], params: Mapping[str, Any]
) -> NDArray[np.float64]:
    """The sum of the arrays of all workers, or an error if one of them has ended."""
    n_workers = str(params.get("machines", "")).count(",") + 1
    if n_workers == 1:
        return values
    end = monotonic() + 60 * float(params.get("time_out") or DEFAULT_TIME_OUT)
    try:
        answer = adder.total(values, n_workers)
        while monotonic() < end:
            with suppress(TimeoutError):
                return np.asarray(answer.result(SECONDS_BETWEEN_LOOKS))
            if adder.has_ended:  # which fails if the worker of the adder has ended
                break
    except Exception as error:
        raise ConnectionError(LOST) from error
    raise ConnectionError(LOST)


@contextmanager
def _ends_with_its_workers(client: Any) -> Iterator[None]:
    """Raise a ConnectionError if a worker that takes part ends.

    LightGBM binds its tasks to the addresses of the workers that hold the data. If no
    other worker notices that one has ended, LightGBM waits for its address for ever.
    """
    over, lost, earlier = Event(), list[Any](), set(client.futures)

    def watch() -> None:
        future = dask("distributed").Future
        with suppress(Exception):  # if the scheduler is silent, the fit fails itself
            while not over.wait(SECONDS_BETWEEN_LOOKS):
                keys = (_stranded(client) & set(client.futures)) - earlier
                if keys:
                    own = [future(key, client) for key in keys]
                    lost.extend(own)
                    client.cancel(own, force=True)

    thread = Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    except CancelledError as error:
        if not lost:
            raise
        raise ConnectionError(LOST) from error
    finally:
        over.set()
        thread.join(SECONDS_BETWEEN_LOOKS)


def _stranded(client: Any) -> set[Any]:
    """The keys of tasks whose only workers have gone, and of those that need them."""

    # Nested, so that it is sent by value: the scheduler may not have this package.
    def keys(dask_scheduler: Any) -> list[Any]:
        found = [
            task
            for task in dask_scheduler.unrunnable
            if task.worker_restrictions
            and not task.worker_restrictions & set(dask_scheduler.workers)
        ]
        for task in found:  # which grows
            found += [one for one in task.dependents if one not in found]
        return [task.key for task in found]

    return set(client.run_on_scheduler(keys))
