"""Runs a task for many items on as many threads as the hosts would take."""

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

import numpy as np

__all__ = ["default_threads", "for_each"]


def for_each(task: Callable[[Any], None], items: Sequence[Any], n_threads: int) -> None:
    """Call the task with every item, in order, on at most n_threads threads.

    The exception of the first item that fails is raised, whatever the number of
    threads. The calling thread works as well. The others live as long as the call:
    none is left for a fork to break, and starting one takes less than a tenth of a
    millisecond. NumPy's handling of floating-point errors is the caller's.
    """
    if n_threads <= 1 or len(items) <= 1:
        for item in items:
            task(item)
        return
    waiting: SimpleQueue[tuple[int, Any]] = SimpleQueue()
    for numbered in enumerate(items):
        waiting.put(numbered)
    settings, failures = np.geterr(), dict[int, BaseException]()

    def work() -> None:
        with np.errstate(**settings):
            _work_off(task, waiting, failures)

    threads = _started(work, min(n_threads, len(items)) - 1)
    work()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[min(failures)]


def _started(work: Callable[[], None], count: int) -> list[Thread]:
    """Threads that work, as many of the count as the system allows."""
    threads: list[Thread] = []
    with suppress(RuntimeError):  # can't start new thread: the others do its part
        for _ in range(count):
            thread = Thread(target=work)
            thread.start()
            threads.append(thread)
    return threads


def _work_off(
    task: Callable[[Any], None],
    waiting: SimpleQueue[tuple[int, Any]],
    failures: dict[int, BaseException],
) -> None:
    """Take items until there is none, or one has failed.

    Items are taken in order, so none before the first that fails is left out.
    """
    while not failures:
        try:
            number, item = waiting.get_nowait()
        except Empty:
            return
        try:
            task(item)
        except BaseException as failure:
            failures[number] = failure


def default_threads() -> int:
    """The number of threads that OpenMP, and with it a host, takes if it is not told.

    OMP_NUM_THREADS, which joblib and Dask set in their workers, or one for each
    processor that this process may use.
    """
    setting = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    if setting.isdecimal() and int(setting) > 0:
        return int(setting)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
