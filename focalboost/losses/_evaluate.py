"""Evaluates the formulas of a loss: checks, conversions, blocks, threads, kernel.

Labels, raw predictions and weights come to one namespace, dtype and device. On NumPy
the formulas are some thirty passes over the data, which a compiler fuses into one. So
they work block by block, on temporaries that stay in the cache. ``_kernel`` is the same
formulas in C. For a million rows it takes a third to a seventh of the time, and 3 to 7
times as long as one ``np.exp``. It does the common case: NumPy arrays, hard labels,
finite numbers, float32 results, and the sums of a metric. It declines everything else.
The formulas remain the definition: they evaluate soft labels and raise the errors.
"""

import importlib
import math
import os
import warnings
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import wraps
from itertools import pairwise
from threading import Thread
from typing import Any, ParamSpec, TypeVar

import numpy as np
from array_api_compat import array_namespace, device, is_array_api_obj
from numpy.typing import NDArray

from focalboost._validation import (
    floating_dtype,
    reject,
    require_finite,
    require_matrix,
    require_range,
    require_shape,
    require_weights,
    thread_count,
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
INTERFACE = 2

#: An array of any array-API namespace; the standard has no common type to name.
Array = Any

#: Labels, raw predictions, and weights or None.
Arrays = tuple[Array, Array, Array | None]

#: Results for labels, raw predictions and weights of some rows, and the namespace.
Formula = Callable[[Array, Array, Array | None, Any], tuple[Array, ...]]

#: The kernel's form of a formula that gives a gradient and a curvature: the name of a
#: function of the kernel, and its arguments after the arrays.
Compiled = tuple[Any, ...]

_P = ParamSpec("_P")
_R = TypeVar("_R")


def _numpy_namespace() -> Any:
    """NumPy under the names of the standard.

    NumPy has had all names since 2.1, and a newer ``astype`` takes scalars. Then the
    namespace of array_api_compat adds nothing but the .1 s of its import.
    """
    own: Any = np
    try:
        own.astype(np.float64(0), np.float32)
    except (AttributeError, TypeError):
        return array_namespace(np.empty(0))
    return own


numpy_namespace = _numpy_namespace()


def underflow_is_zero(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Let results too small for their dtype become 0, even after np.seterr("raise").

    The tails of the losses underflow, and 0 is the correctly rounded value there.
    """

    @wraps(function)
    def quiet(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        with np.errstate(under="ignore"):
            return function(*args, **kwargs)

    return quiet


def evaluate(
    formula: Formula,
    arrays: tuple[Any, Any, Any],
    n_classes: int | None,
    *,
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
    n_threads = thread_count(n_threads)
    if compiled is not None and dtype is np.float32 and _fit(arrays, n_classes):
        results = _at_once(compiled, arrays)
        if results is not None:
            return results
    dtype, n_threads = floating_dtype(dtype), n_threads or default_threads()
    return _by_parts(formula, arrays, n_classes, dtype, n_threads, compiled)


@underflow_is_zero
def _by_parts(
    formula: Formula,
    arrays: tuple[Any, Any, Any],
    n_classes: int | None,
    dtype: str | None,
    n_threads: int,
    compiled: Compiled | None,
) -> tuple[Array, ...]:
    """The columns of a formula for arrays of any kind, or those of the kernel."""
    xp, y, raw, weight = gathered(*arrays, n_classes)
    in_float32 = dtype == "float32" or (dtype is None and raw.dtype == xp.float32)
    is_readable = xp is numpy_namespace and raw.ndim in (1, 2) and in_float32
    if compiled is not None and _kernel is not None and is_readable:
        results = _by_kernel(compiled, (y, raw, weight), n_threads)
        if results is not None:
            return results

    def on_block(y: Array, raw: Array, weight: Array | None) -> tuple[Array, ...]:
        require_finite(xp, raw)
        y = _like("y_true", y, raw, xp)
        weight = _like("sample_weight", weight, raw, xp)
        if weight is not None:
            require_weights(xp, weight)
        return _converted(formula(y, raw, weight, xp), dtype, xp)

    return _by_blocks(on_block, (y, raw, weight), n_threads)


def _at_once(compiled: Compiled, arrays: Arrays) -> tuple[Array, ...] | None:
    """What the kernel makes of arrays that it reads as they are, on one thread.

    Between two rounds of a training the trees fill the processor's caches. For ten
    thousand rows the checks and conversions of ``evaluate`` then take longer than the
    kernel, because their code has to come from memory.
    """
    y, raw, weight = arrays
    if raw.size >= 2 * ENTRIES_OF_A_THREAD:
        return None
    results = _empty(2, raw.shape, np.float32, raw)
    function, *options = compiled
    done = getattr(_kernel, function)(raw, y, weight, *results, *options)
    return results if done else None


def sums_at_once(
    arrays: tuple[Any, Any, Any], n_classes: int | None, compiled: Compiled
) -> NDArray[np.float64] | None:
    """Return the kernel's sums of a metric, or None; see ``_Loss._sums``."""
    if not _fit(arrays, n_classes):
        return None
    y, raw, weight = arrays
    function, *options = compiled
    found = getattr(_kernel, function)(raw, y, weight, *options)
    if found is None:
        return None
    # A row for each label column: its loss, and the weights of its classes.
    by_column = np.reshape(found, (1 if n_classes else raw[0].size, -1))
    return np.concatenate([[by_column[:, 0].sum()], by_column[:, 1:].T.ravel()])


def _fit(arrays: tuple[Any, Any, Any], n_classes: int | None) -> bool:
    """Whether there is a kernel, and it reads these arrays as they are."""
    y, raw, weight = arrays
    if _kernel is None:
        return False
    if not all(map(_is_native, (y, raw) if weight is None else arrays)):
        return False
    shape = y.shape if n_classes is None else (*y.shape, n_classes)
    # One weight for each row counts in all of its columns.
    if weight is not None and weight.shape not in (y.shape, y.shape[:1]):
        return False
    return bool(raw.shape == shape and raw.ndim > 0 and raw.size > 0)


def _is_native(array: Any) -> bool:
    """Whether this is a NumPy array of float32 or float64, and no subclass."""
    return type(array) is np.ndarray and array.dtype.char in "fd"


def gathered(
    y_true: Any, raw_prediction: Any, sample_weight: Any, n_classes: int | None = None
) -> tuple[Any, Array, Array, Array | None]:
    """Return namespace, labels, raw predictions and weights as arrays that fit.

    Raw predictions keep float32 or float64; other dtypes become float64. Labels and
    weights move to the device of the raw predictions. There is one label for each raw
    prediction, or for each row of ``n_classes`` of them. Weights with one dimension
    less than the labels are repeated for every column.
    """
    xp, raw = as_floating("raw_prediction", raw_prediction)
    if n_classes is not None:
        require_matrix("raw_prediction", raw, n_classes)
    shape = tuple(raw.shape if n_classes is None else raw.shape[:1])
    y = _beside(raw, y_true, xp)
    require_shape("y_true", y, shape)
    if sample_weight is None:
        return xp, y, raw, None
    weight = _beside(raw, sample_weight, xp)
    if weight.ndim == 1 and y.ndim == 2 and weight.shape[0] == y.shape[0]:
        weight = xp.broadcast_to(weight[:, None], shape)
    require_shape("sample_weight", weight, shape)
    return xp, y, raw, weight


def weighed_labels(y_true: Any, sample_weight: Any) -> tuple[Any, Array, Array | None]:
    """Return the namespace, and labels and weights as float64."""
    xp, labels = as_floating("y_true", y_true)
    labels = xp.astype(labels, xp.float64)
    _, y, _, weight = gathered(labels, labels, sample_weight)
    weight = _like("sample_weight", weight, y, xp)
    if weight is not None:
        require_weights(xp, weight)
    return xp, y, weight


def as_floating(name: str, values: Any) -> tuple[Any, Array]:
    """Return the namespace and values as native float32 or float64."""
    if not is_array_api_obj(values):
        values = np.asarray(values)
    if isinstance(values, np.ndarray | np.generic):
        return numpy_namespace, _numpy_floating(name, np.asarray(values))
    xp = array_namespace(values)
    if values.dtype not in (xp.float32, xp.float64):
        values = xp.astype(values, xp.float64)
    return xp, values


def _numpy_floating(name: str, values: NDArray[Any]) -> NDArray[Any]:
    """Big-endian, half, extended and integer numbers become native floats."""
    native = values.dtype.newbyteorder("=")
    if native in (np.float32, np.float64):
        return values.astype(native, copy=False)
    try:
        if values.dtype.kind not in "biufO":
            raise TypeError
        return values.astype(np.float32 if native == np.float16 else np.float64)
    except (TypeError, ValueError):
        reject(name, "an array of real numbers", values, "Convert it first.")


def _beside(raw: Array, values: Any, xp: Any) -> Array:
    """Values as an array on the device of the raw predictions."""
    if xp is numpy_namespace:
        return np.asarray(values)
    return xp.asarray(values, device=device(raw))


def _like(name: str, values: Array | None, raw: Array, xp: Any) -> Array | None:
    """Values, if any, in the dtype of the raw predictions."""
    if values is None or values.dtype == raw.dtype:
        return values
    if xp is numpy_namespace:
        # An overflow gives inf, and the check of the values names the argument.
        with np.errstate(over="ignore"):
            return as_floating(name, values)[1].astype(raw.dtype, copy=False)
    return xp.astype(values, raw.dtype, copy=False)


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
    formula: Callable[..., tuple[Array, ...]], arrays: Arrays, n_threads: int
) -> tuple[Array, ...]:
    """The results of the formula, which has the same shape and dtype for all of them.

    NumPy arrays are cut into blocks along their first axis, and the results take the
    memory order of the raw predictions. Arrays of another namespace are one block.
    """
    raw = arrays[1]
    if not isinstance(raw, np.ndarray) or raw.ndim == 0:
        return formula(*arrays)
    blocks = blocks_of(raw)
    if len(blocks) <= 1:
        order: Any = "F" if np.isfortran(raw) else "C"
        return tuple(np.asarray(result, order=order) for result in formula(*arrays))
    nothing = formula(*_cut(arrays, slice(0)))
    shape = (len(raw), *nothing[0].shape[1:])
    outputs = _empty(len(nothing), shape, nothing[0].dtype, raw)

    def fill(block: slice) -> None:
        results = formula(*_cut(arrays, block))
        for output, result in zip(outputs, results, strict=True):
            output[block] = result

    for_each(fill, blocks, n_threads)
    return outputs


def _by_kernel(
    compiled: Compiled, arrays: Arrays, n_threads: int
) -> tuple[Array, ...] | None:
    """Gradient and curvature, or None if the kernel declines."""
    function, options = getattr(_kernel, compiled[0]), compiled[1:]
    raw = arrays[1]
    results = _empty(2, raw.shape, np.float32, raw)
    declined: list[slice] = []

    def fill(block: slice) -> None:
        if declined:
            return
        y, raw, weight, *outputs = _cut((*arrays, *results), block)
        y, weight = _readable("y_true", y, raw), _readable("sample_weight", weight, raw)
        if not function(raw, y, weight, *outputs, *options):
            declined.append(block)

    for_each(fill, blocks_of(raw), min(n_threads, raw.size // ENTRIES_OF_A_THREAD))
    return None if declined else results


def _readable(name: str, values: Array | None, raw: Array) -> Array | None:
    """A block as float32, or in the dtype of the raw predictions."""
    is_float32 = values is not None and values.dtype == np.float32
    return values if is_float32 else _like(name, values, raw, numpy_namespace)


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


def _empty(
    count: int, shape: tuple[int, ...], dtype: Any, like: NDArray[Any]
) -> tuple[Array, ...]:
    """Uninitialised arrays in one piece of memory, in the order of another array.

    glibc's malloc keeps one piece of up to 32 MB for the process. Two pieces of the
    same size go back to the operating system when they are freed, and to get them anew
    in every round takes as long as to compute what is written there.
    """
    if np.isfortran(like):
        return tuple(part.T for part in np.empty((count, *shape[::-1]), dtype))
    return tuple(np.empty((count, *shape), dtype))


def _installed_kernel() -> Any:
    """The kernel, or None. A broken kernel raises a warning, a missing one does not."""
    name = "focalboost.losses._kernel"
    try:
        kernel = importlib.import_module(name)
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and error.name == name:
            return None
        failure = str(error)
    else:
        found = getattr(kernel, "INTERFACE", None)
        if found == INTERFACE:
            return kernel
        failure = f"its interface is {found} and not {INTERFACE}"
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


def for_each(task: Callable[[Any], None], items: Sequence[Any], n_threads: int) -> None:
    """Call the task with every item, in order, on at most n_threads threads.

    If items fail, the exception of the first of them is raised, for any number of
    threads: they take items in order, so every item before it is done. The calling
    thread is one of them. The others end with the call, so a fork finds none, and to
    start one takes less than a tenth of a millisecond. NumPy handles floating-point
    errors in all of them as in the calling thread.
    """
    if n_threads <= 1 or len(items) <= 1:
        for item in items:
            task(item)
        return
    waiting = deque(enumerate(items))
    settings, failures = np.geterr(), dict[int, BaseException]()

    def work() -> None:
        with np.errstate(**settings), suppress(IndexError):  # of an empty deque
            while not failures:
                number, item = waiting.popleft()
                try:
                    task(item)
                except BaseException as failure:
                    failures[number] = failure

    threads: list[Thread] = []
    with suppress(RuntimeError):  # can't start new thread: the others do its part
        for _ in range(min(n_threads, len(items)) - 1):
            thread = Thread(target=work)
            thread.start()
            threads.append(thread)
    work()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[min(failures)]


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
