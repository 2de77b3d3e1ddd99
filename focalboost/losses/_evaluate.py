"""What is wanted of the binary loss, as functions of a branch, and their sums."""

import operator
from collections.abc import Callable
from typing import Any

from focalboost.losses import _binary, _driver
from focalboost.losses._arrays import Array
from focalboost.losses._binary import Branch
from focalboost.losses._branches import branches
from focalboost.losses._compiled import Compiled
from focalboost.losses._driver import Options

__all__ = [
    "Formula",
    "evaluate",
    "gradient",
    "gradient_curvature",
    "gradient_hessian",
    "loss",
]

#: Arrays wanted of one branch, given the sign of its gradient and the namespace.
Formula = Callable[[Branch, Any, Any], tuple[Array, ...]]


def evaluate(
    formula: Formula,
    arrays: tuple[Any, Any, Any],
    gamma: tuple[float, float],
    alpha: tuple[float, float],
    options: Options,
    compiled: Compiled | None = None,
) -> tuple[Array, ...]:
    """Return what the formula gives of labels, raw predictions and weights."""

    def summed(
        y: Array, raw: Array, weight: Array | None, xp: Any
    ) -> tuple[Array, ...]:
        sums: tuple[Array, ...] = ()
        for sign, branch in branches(y, raw, weight, gamma, alpha, xp):
            terms = formula(branch, sign, xp)
            sums = tuple(map(operator.add, sums, terms)) if sums else terms
        return sums

    return _driver.evaluate(summed, arrays, options, compiled)


def loss(branch: Branch, sign: Any, xp: Any) -> tuple[Array]:
    """The loss."""
    return (_binary.value(branch),)


def gradient(branch: Branch, sign: Any, xp: Any) -> tuple[Array]:
    """The gradient."""
    return (sign * _binary.steepness(branch),)


def gradient_hessian(branch: Branch, sign: Any, xp: Any) -> tuple[Array, Array]:
    """The gradient and the hessian."""
    hessian = _binary.second_derivative(branch, xp)
    return sign * _binary.steepness(branch), hessian


def gradient_curvature(
    floor: float, branch: Branch, sign: Any, xp: Any
) -> tuple[Array, Array]:
    """The gradient and the certified curvature."""
    steep = _binary.steepness(branch)
    return sign * steep, _binary.certified_curvature(branch, steep, floor, xp)
