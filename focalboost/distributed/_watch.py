"""Ends a training of LightGBM's on Dask that waits for a worker which has ended."""

from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from threading import Event, Thread
from typing import Any

from focalboost.distributed._cluster import distributed

__all__ = ["ends_with_its_workers"]

SECONDS_BETWEEN_LOOKS = 1.0


@contextmanager
def ends_with_its_workers(client: Any) -> Iterator[None]:
    """Raise a ConnectionError if a worker that takes part ends.

    LightGBM binds its tasks to the addresses of the workers that hold the data. Where
    no other worker notices that one has ended, it waits for that address for ever.
    """
    over, lost = Event(), list[Any]()
    arguments = (client, set(client.futures), over, lost)
    thread = Thread(target=_watch, args=arguments, daemon=True)
    thread.start()
    try:
        yield
    except CancelledError as error:
        if not lost:
            raise
        raise ConnectionError(
            "A worker of this training has ended. There is no model; train again."
        ) from error
    finally:
        over.set()
        thread.join(SECONDS_BETWEEN_LOOKS)


def _watch(client: Any, earlier: set[Any], over: Event, lost: list[Any]) -> None:
    """Cancel what only a worker that has ended could do, and keep it as lost."""
    with suppress(Exception):  # of a scheduler that does not answer the fit will tell
        while not over.wait(SECONDS_BETWEEN_LOOKS):
            stranded = set(client.run_on_scheduler(_stranded())) - earlier
            own = [
                distributed().Future(key, client)
                for key in stranded & set(client.futures)
            ]
            if own:
                lost += own
                client.cancel(own, force=True)


def _stranded() -> Callable[..., list[Any]]:
    """What finds a scheduler's tasks whose only workers have gone, and what needs them.

    A nested function is sent as it is: the scheduler need not know this package.
    """

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

    return keys
