"""Evaluates a formula block by block, so that its temporaries stay in the cache."""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from focalboost.losses._arrays import Array
from focalboost.losses._threads import for_each

__all__ = ["BLOCK", "blocks_of", "blockwise", "cut", "empty_results", "order_of"]

Order = Literal["C", "F"]

#: Entries in a block of float32, and twice those of float64. A formula works on a few
#: temporaries at a time; four of these are 1 MB, which a second-level cache of today
#: holds. Smaller blocks lose more to the calls of NumPy's functions than they gain.
BLOCK = 65_536

#: More than one row in a block, however the rows are shared out: NumPy adds up a single
#: row of several columns in another order than the rows of a table.
FEWEST_ROWS = 3


def blockwise(
    formula: Callable[..., tuple[Array, ...]],
    *arrays: Array | None,
    n_threads: int = 1,
) -> tuple[Array, ...]:
    """Return formula(*arrays), which works row by row; the first array has all columns.

    Its results have one shape and dtype. NumPy arrays of more than one block are cut
    along their first axis, and the results of the blocks written into arrays with the
    memory order of the first one; arrays of another namespace are evaluated in one
    piece. Further arrays may be None.
    """
    first = arrays[0]
    if not isinstance(first, np.ndarray) or first.ndim == 0:
        return formula(*arrays)
    blocks = blocks_of(first)
    order = order_of(first)
    if len(blocks) <= 1:
        return tuple(np.asarray(result, order=order) for result in formula(*arrays))
    nothing = formula(*cut(arrays, slice(0)))
    shape = (len(first), *nothing[0].shape[1:])
    outputs = empty_results(len(nothing), shape, nothing[0].dtype, order)

    def fill(block: slice) -> None:
        results = formula(*cut(arrays, block))
        for output, result in zip(outputs, results, strict=True):
            output[block] = result

    for_each(fill, blocks, n_threads)
    return outputs


def order_of(array: NDArray[Any]) -> Order:
    """The memory order of an array."""
    return "F" if np.isfortran(array) else "C"


def empty_results(
    count: int, shape: tuple[int, ...], dtype: Any, order: Order
) -> tuple[Array, ...]:
    """Uninitialised arrays in one piece of memory.

    Two pieces of a size go back to the operating system when they are freed, and to get
    them anew in every round costs as much as to compute what is written there; one
    piece of up to 32 MB stays with the process (glibc's malloc).
    """
    if order == "F":
        return tuple(part.T for part in np.empty((count, *shape[::-1]), dtype))
    return tuple(np.empty((count, *shape), dtype))


def cut(arrays: Sequence[Array | None], block: slice) -> list[Array | None]:
    """The rows of a block, of each array."""
    return [None if array is None else array[block] for array in arrays]


def blocks_of(array: NDArray[Any]) -> list[slice]:
    """As few blocks of almost equal size as are not larger than BLOCK."""
    entries_in_row = max(1, math.prod(array.shape[1:]))
    entries = 4 * BLOCK // array.itemsize
    count = -(-len(array) // max(FEWEST_ROWS, entries // entries_in_row))
    edges = [len(array) * i // max(1, count) for i in range(count + 1)]
    return [slice(*pair) for pair in pairwise(edges)]
