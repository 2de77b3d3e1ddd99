"""Numbers of NumPy in JSON, which knows those of Python only."""

from typing import Any

import numpy as np

__all__ = ["as_python"]


def as_python(value: Any) -> Any:
    """A number or an array of NumPy in Python's own types; None for anything else."""
    if not isinstance(value, np.generic | np.ndarray):
        return None
    plain = value.tolist()
    return None if isinstance(plain, np.generic) else plain  # a longdouble stays one
