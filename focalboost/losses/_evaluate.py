"""Evaluates the formulas of a loss: checks, conversions, blocks, threads, kernel.

On NumPy the formulas are some thirty passes over the data, which a compiler fuses into
one. So they work block by block, on temporaries that stay in the cache. ``_kernel`` is
the same formulas in C. For a million rows it takes a third to a seventh of the time,
and 3 to 7 times as long as one ``np.exp``. It does the common case: NumPy arrays, hard
labels, finite numbers, float32 results. It declines everything else. The formulas
remain the definition: they evaluate soft labels and raise the errors.
"""

import importlib
import math
import os
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import pairwise
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from focalboost._validation import (
    floating_dtype,
    require_finite,
    require_range,
    require_weights,
    thread_count,
)
from focalboost.losses._arrays import (
    Array,
    gathered,
    like,
    numpy_namespace,
    underflow_is_zero,
)

#: Entries in a block of float32; a block of float64 has half of them. A formula works
#: on a few temporaries at a time. Four of them take 1 MB, which fits a second-level
#: cache. Smaller blocks lose more to NumPy's calls than they gain.
BLOCK = 65_536

#: The fewest rows in a block, however many columns there are. NumPy adds up a single
#: row of several columns in another order than the rows of a table.
FEWEST_ROWS = 3

#: The entries that are worth a thread. To start one takes a tenth of a millisecond, in
#: which the kernel does half of them.
ENTRIES_OF_A_THREAD = 200_000

#: What the kernel must name as its own ``INTERFACE``. Change both together.
INTERFACE = 1

Order = Literal["C", "F"]

#: Results for labels, raw predictions and weights of some rows, and the namespace.
Formula = Callable[[Array, Array, Array | None, Any], tuple[Array, ...]]


class Compiled(NamedTuple):
    """The kernel's form of a formula that gives a gradient and a curvature."""

    function: str  #: its name in the kernel
    options: tuple[Any, ...]  #: its arguments after the arrays


@underflow_is_zero
def evaluate(
    formula: Formula,
    arrays: tuple[Any, Any, Any],
    *,
    n_classes: int | None = None,
    dtype: Any = None,
    n_threads: int | None = 1,
    compiled: Compiled | None = None,
) -> tuple[Array, ...]:
    """Return the results of the formula for labels, raw predictions and weights.

    With ``n_classes``, each row has one label and that many raw predictions. Results
    have the dtype of the raw predictions unless ``dtype`` is given. Float32 results
    come from the compiled form if it accepts the arrays. Only the results have the
    length of the data: checks and conversions work block by block.
    """
    n_threads = thread_count(n_threads) or default_threads()
    dtype = floating_dtype(dtype)
    xp, y, raw, weight = gathered(*arrays, n_classes)
    in_float32 = dtype == "float32" or (dtype is None and raw.dtype == xp.float32)
    if compiled is not None and _kernel is not None and in_float32:
        results = _by_kernel(compiled, raw, y, weight, n_threads)
        if results is not None:
            return results

    def on_block(raw: Array, y: Array, weight: Array | None) -> tuple[Array, ...]:
        require_finite(xp, raw)
        y = like("y_true", y, raw, xp)
        if weight is not None:
            weight = like("sample_weight", weight, raw, xp)
            require_weights(xp, weight)
        return _converted(formula(y, raw, weight, xp), dtype, xp)

    return _by_blocks(on_block, raw, y, weight, n_threads)


def _converted(
    results: tuple[Array, ...], dtype: str | None, xp: Any
) -> tuple[Array, ...]:
    """Gradient and curvature in the given dtype, and within its range."""
    if dtype is None:
        return results
    with np.errstate(over="ignore"):
        target = getattr(xp, dtype)
        results = tuple(xp.astype(result, target, copy=False) for result in results)
    for name, result in zip(("gradient", "curvature"), results, strict=True):
        require_range(xp, name, result, dtype)
    return results


def _by_blocks(
    formula: Callable[..., tuple[Array, ...]],
    raw: Array,
    y: Array,
    weight: Array | None,
    n_threads: int,
) -> tuple[Array, ...]:
    """The results of the formula, which has the same shape and dtype for all of them.

    NumPy arrays are cut into blocks along their first axis, and the results take the
    memory order of the raw predictions. Arrays of another namespace are one block.
    """
    if not isinstance(raw, np.ndarray) or raw.ndim == 0:
        return formula(raw, y, weight)
    blocks, order = blocks_of(raw), _order_of(raw)
    if len(blocks) <= 1:
        results = formula(raw, y, weight)
        return tuple(np.asarray(result, order=order) for result in results)
    nothing = formula(*_cut((raw, y, weight), slice(0)))
    shape = (len(raw), *nothing[0].shape[1:])
    outputs = _empty(len(nothing), shape, nothing[0].dtype, order)

    def fill(block: slice) -> None:
        results = formula(*_cut((raw, y, weight), block))
        for output, result in zip(outputs, results, strict=True):
            output[block] = result

    for_each(fill, blocks, n_threads)
    return outputs


def blocks_of(array: NDArray[Any]) -> list[slice]:
    """As few blocks of almost equal size as possible, none larger than BLOCK."""
    entries_in_row = max(1, math.prod(array.shape[1:]))
    entries = 4 * BLOCK // array.itemsize
    count = -(-len(array) // max(FEWEST_ROWS, entries // entries_in_row))
    edges = [len(array) * i // max(1, count) for i in range(count + 1)]
    return [slice(*pair) for pair in pairwise(edges)]


def _cut(arrays: Sequence[Array | None], block: slice) -> list[Array | None]:
    """The rows of a block, of each array."""
    return [None if array is None else array[block] for array in arrays]


def _order_of(array: NDArray[Any]) -> Order:
    return "F" if np.isfortran(array) else "C"


def _empty(
    count: int, shape: tuple[int, ...], dtype: Any, order: Order
) -> tuple[Array, ...]:
    """Uninitialised arrays in one piece of memory.

    glibc's malloc keeps one piece of up to 32 MB for the process. Two pieces of the
    same size go back to the operating system when they are freed, and to get them anew
    in every round takes as long as to compute what is written there.
    """
    if order == "F":
        return tuple(part.T for part in np.empty((count, *shape[::-1]), dtype))
    return tuple(np.empty((count, *shape), dtype))


def _installed_kernel() -> Any:
    """The kernel, or None. A broken kernel raises a warning, a missing one does not."""
    name = "focalboost.losses._kernel"
    try:
        kernel = importlib.import_module(name)
        found = getattr(kernel, "INTERFACE", None)
        if found != INTERFACE:
            raise ImportError(f"its interface is {found} and not {INTERFACE}")
    except ModuleNotFoundError as error:
        if error.name == name:
            return None
        failure: Exception = error
    except Exception as error:
        failure = error
    else:
        return kernel
    warnings.warn(
        f"The compiled kernel of focalboost cannot be used ({failure}). NumPy computes "
        "the same numbers, and takes 3 to 7 times as long. Reinstall focalboost on "
        "this machine.",
        RuntimeWarning,
        stacklevel=2,
    )
    return None


_kernel = _installed_kernel()


def is_compiled() -> bool:
    """Whether the compiled formulas are installed.

    Without them, the same formulas run on NumPy and take longer.

    Returns
    -------
    bool
        False if no C compiler was found at installation.

    Examples
    --------
    >>> from focalboost.losses import is_compiled
    >>> is_compiled() in (True, False)
    True
    """
    return _kernel is not None


def _by_kernel(
    compiled: Compiled, raw: Array, y: Array, weight: Array | None, n_threads: int
) -> tuple[Array, ...] | None:
    """Gradient and curvature, or None if the kernel declines."""
    arrays = (raw, y, weight)
    if not all(_is_readable(array) for array in arrays):
        return None
    function = getattr(_kernel, compiled.function)
    results = _empty(2, raw.shape, np.float32, _order_of(raw))
    declined: list[slice] = []

    def fill(block: slice) -> None:
        if declined:
            return
        raw, y, weight, gradient, curvature = _cut((*arrays, *results), block)
        y, weight = _as_float("y_true", y, raw), _as_float("sample_weight", weight, raw)
        if not function(raw, y, weight, gradient, curvature, *compiled.options):
            declined.append(block)

    for_each(fill, blocks_of(raw), min(n_threads, raw.size // ENTRIES_OF_A_THREAD))
    return None if declined else results


def _is_readable(array: Array | None) -> bool:
    """Whether the array is NumPy's and has one or two dimensions."""
    return array is None or (isinstance(array, np.ndarray) and array.ndim in (1, 2))


def _as_float(name: str, values: Array | None, raw: Array) -> Array | None:
    """A block as float32, or in the dtype of the raw predictions."""
    if values is None or values.dtype == np.float32:
        return values
    return like(name, values, raw, numpy_namespace)


def for_each(task: Callable[[Any], None], items: Sequence[Any], n_threads: int) -> None:
    """Call the task with every item, in order, on at most n_threads threads.

    If items fail, the exception of the first of them is raised, for any number of
    threads. The calling thread is one of them. The others end with the call, so a fork
    finds none, and to start one takes less than a tenth of a millisecond. NumPy handles
    floating-point errors in all of them as in the calling thread.
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
    """Started threads, fewer than count if the system does not allow more."""
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
    """Take items until there are none left, or one has failed.

    Threads take items in order, so every item before the first failure is done.
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
    """The number of threads that OpenMP uses by default, and a host with it.

    This is OMP_NUM_THREADS, which joblib and Dask set in their workers, or one thread
    for each processor that this process may use.
    """
    setting = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    if setting.isdecimal() and int(setting) > 0:
        return int(setting)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
