"""What every loss does around its formula: checks, conversions, blocks, threads."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from focalboost._validation import (
    floating_dtype,
    require_finite,
    require_range,
    require_weights,
    thread_count,
)
from focalboost.losses import _compiled
from focalboost.losses._arrays import Array, gathered, like
from focalboost.losses._blockwise import blockwise
from focalboost.losses._compiled import Compiled
from focalboost.losses._threads import default_threads

__all__ = ["ON_ONE_THREAD", "Formula", "Options", "evaluate"]

#: Results for labels, raw predictions and weights of some rows, and the namespace.
Formula = Callable[[Array, Array, Array | None, Any], tuple[Array, ...]]


class Options(NamedTuple):
    """How to evaluate a formula."""

    dtype: Any = None  #: of the results; None is that of the raw predictions
    n_threads: int | None = 1  #: None is what OpenMP would take
    per_row: bool = False  #: one label for each row of raw predictions


ON_ONE_THREAD = Options()


def evaluate(
    formula: Formula,
    arrays: tuple[Any, Any, Any],
    options: Options,
    compiled: Compiled | None = None,
) -> tuple[Array, ...]:
    """Return what the formula gives of labels, raw predictions and weights.

    Nothing but the results has the length of the data: labels and weights are checked
    and converted, and results converted, block by block. Where float32 results are
    wanted, the compiled form of the formula gives them if it can.
    """
    n_threads = thread_count(options.n_threads) or default_threads()
    dtype = floating_dtype(options.dtype)
    xp, y, raw, weight = gathered(*arrays, per_row=options.per_row)
    in_float32 = dtype == "float32" or (dtype is None and raw.dtype == xp.float32)
    if compiled is not None and in_float32:
        results = _compiled.evaluate(compiled, raw, y, weight, n_threads)
        if results is not None:
            return results

    def on_block(raw: Array, y: Array, weight: Array | None) -> tuple[Array, ...]:
        require_finite(xp, raw)
        y = like("y_true", y, raw, xp)
        if weight is not None:
            weight = like("sample_weight", weight, raw, xp)
            require_weights(xp, weight)
        return _converted(formula(y, raw, weight, xp), dtype, xp)

    with np.errstate(under="ignore"):
        return blockwise(on_block, raw, y, weight, n_threads=n_threads)


def _converted(
    results: tuple[Array, ...], dtype: str | None, xp: Any
) -> tuple[Array, ...]:
    """Gradient and curvature in the dtype that is asked for, and within its range."""
    if dtype is None:
        return results
    with np.errstate(over="ignore"):
        target = getattr(xp, dtype)
        results = tuple(xp.astype(result, target, copy=False) for result in results)
    for name, result in zip(("gradient", "curvature"), results, strict=True):
        require_range(xp, name, result, dtype)
    return results
