"""A progress bar on standard error."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from focalboost._imports import import_extra

__all__ = ["progress_bar"]


@contextmanager
def progress_bar(total: int, todo: int, shown: bool) -> Iterator[Callable[[], None]]:
    """A function that advances a bar by one of the fits that are still to do."""
    if not shown:
        yield lambda: None
        return
    advice = "pip install rich, or use progress=False"
    parts = import_extra("rich.progress", advice)
    console = import_extra("rich.console", advice).Console(stderr=True)
    with parts.Progress(
        parts.TextColumn("fits"),
        parts.BarColumn(),
        parts.MofNCompleteColumn(),
        parts.TimeElapsedColumn(),
        parts.TimeRemainingColumn(),
        console=console,
    ) as bar:
        task = bar.add_task("fits", total=total, completed=total - todo)
        yield partial(bar.advance, task)
