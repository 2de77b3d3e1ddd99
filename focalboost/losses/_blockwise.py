"""Evaluates a formula block by block, so that its temporaries stay in the cache."""

from collections.abc import Callable
from typing import Any

import numpy as np

from focalboost.losses._arrays import Array

__all__ = ["BLOCK", "blockwise"]

#: Entries in a block. A formula holds about ten temporaries; ten of 16 384 float64
#: numbers are 1.3 MB, which a second-level cache of today holds.
BLOCK = 16_384


def blockwise(
    formula: Callable[..., tuple[Array, ...]], *arrays: Array | None
) -> tuple[Array, ...]:
    """Return formula(*arrays), which works row by row; the first array has all columns.

    NumPy arrays of more than one block are cut along their first axis; arrays of
    another namespace are evaluated in one piece. Further arrays may be None.
    """
    shape = (0,) if arrays[0] is None else arrays[0].shape
    rows = _rows_in_block(shape)
    if not isinstance(arrays[0], np.ndarray) or not shape or shape[0] <= rows:
        return formula(*arrays)
    outputs: tuple[Any, ...] = ()
    for start in range(0, shape[0], rows):
        block = slice(start, start + rows)
        results = formula(*(None if a is None else a[block] for a in arrays))
        outputs = outputs or tuple(
            np.empty((shape[0], *r.shape[1:]), r.dtype) for r in results
        )
        for output, result in zip(outputs, results, strict=True):
            output[block] = result
    return outputs


def _rows_in_block(shape: tuple[int, ...]) -> int:
    entries_in_row = int(np.prod(shape[1:], dtype=np.int64))
    return max(1, BLOCK // max(1, entries_in_row))
