"""The formulas of gradient and curvature in C, where installation found a compiler.

NumPy needs some thirty passes over the data for what a compiler fuses into one, and its
threads wait for each other between the passes: for a million rows the formulas take 3
to 7 times as long as ``_kernel``, which takes 3 to 7 times as long as one ``np.exp``.
They remain the definition. The kernel does the common case (NumPy arrays, hard labels,
finite numbers, float32 results) and declines everything else; the formulas then treat
soft labels, and word the errors.
"""

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

from focalboost.losses._arrays import Array, like, numpy_namespace
from focalboost.losses._blockwise import blocks_of, cut, empty_results, order_of
from focalboost.losses._threads import for_each

__all__ = ["Compiled", "binary", "evaluate", "is_compiled", "softmax"]

#: Fills gradient and curvature, the last two, of raw predictions, labels and weights,
#: or returns False.
Compiled = Callable[[Array, Array, Array | None, Array, Array], bool]


def _found() -> Any:
    try:
        return importlib.import_module("focalboost.losses._kernel")
    except ModuleNotFoundError:
        return None


_kernel = _found()

#: What is worth a thread of its own: to start one takes a tenth of a millisecond, in
#: which the kernel does half of this.
ENTRIES_OF_A_THREAD = 200_000


def is_compiled() -> bool:
    """Whether the compiled formulas are installed."""
    return _kernel is not None


def binary(
    gamma: tuple[float, float], alpha: tuple[float, float], floor: float | None
) -> Compiled | None:
    """The binary loss with the floor of its curvature, None for the exact hessian."""
    if _kernel is None:
        return None
    options = (gamma, alpha, floor or 0.0, floor is None)
    return lambda *arrays: _kernel.binary(*arrays, *options)


def softmax(
    gamma: tuple[float, ...], alpha: tuple[float, ...], floor: float
) -> Compiled | None:
    """The softmax loss with the floor of its curvature."""
    if _kernel is None:
        return None
    return lambda *arrays: _kernel.softmax(*arrays, gamma, alpha, floor)


def evaluate(
    compiled: Compiled,
    raw: Array,
    y_true: Array,
    sample_weight: Array | None,
    n_threads: int,
) -> tuple[Array, ...] | None:
    """Return gradient and curvature, or None where the kernel declines."""
    arrays = [raw, y_true, sample_weight]
    if not all(_is_usable(array) for array in arrays):
        return None
    results = empty_results(2, raw.shape, np.float32, order_of(raw))
    declined: list[slice] = []

    def fill(block: slice) -> None:
        if declined:
            return
        raw, y, weight, gradient, curvature = cut([*arrays, *results], block)
        y, weight = _readable("y_true", y, raw), _readable("sample_weight", weight, raw)
        if not compiled(raw, y, weight, gradient, curvature):
            declined.append(block)

    n_threads = min(n_threads, raw.size // ENTRIES_OF_A_THREAD)
    for_each(fill, blocks_of(raw), n_threads)
    return None if declined else results


def _is_usable(array: Array | None) -> bool:
    """Whether it is NumPy's, of one or two dimensions."""
    return array is None or (isinstance(array, np.ndarray) and array.ndim in (1, 2))


def _readable(name: str, values: Array | None, raw: Array) -> Array | None:
    """A block of float32, or of the dtype of the raw predictions."""
    if values is None or values.dtype == np.float32:
        return values
    return like(name, values, raw, numpy_namespace)
