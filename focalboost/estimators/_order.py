"""The order of two classes: which is the positive one, and what a loss gives to each.

The positive class is the later in the order of the labels, "ok" of "fraud" and "ok".
"""

import math
import warnings
from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from focalboost._validation import class_balance, reject
from focalboost.losses import FocalLoss

__all__ = ["alpha_of_two", "warn_of_common_positives"]

#: Masses that class weights have made equal differ in their last bits.
ROUNDING = 1e-6


def alpha_of_two(alphas: list[Any]) -> float:
    """The alpha of the positive class, from those of both classes in order."""
    checked = [class_balance(alpha, "focal_alpha") for alpha in alphas]
    shares = [alpha for alpha in checked if alpha is not None]
    if len(shares) != 2 or not math.isclose(sum(shares), 1):
        reject(
            "focal_alpha",
            "two numbers that sum to 1, one for each class",
            alphas,
            "Positives weigh alpha and negatives 1 - alpha; use class_weight for other "
            "weights.",
        )
    return shares[1]


def warn_of_common_positives(
    loss: FocalLoss,
    given: Mapping[str, Any],
    classes: NDArray[Any],
    masses: NDArray[Any],
) -> None:
    """Warn if parameters tell positives from negatives, and positives are common."""
    share = masses[1] / masses.sum()
    if not share > 0.5 + ROUNDING:
        return
    pairs = {"focal_gamma": _gammas(loss), "focal_alpha": _alphas(loss)}
    told = {
        name: pair
        for name, pair in pairs.items()
        if pair[0] != pair[1] and not isinstance(given[name], Mapping)
    }
    if not told:
        return
    negative, positive = classes.tolist()
    warnings.warn(
        f"Of the labels {negative!r} and {positive!r} the later in order is the "
        f"positive class, {positive!r}, and it has {share:.0%} of the weight. "
        f"Training is with {_by_label(told, classes)}. Write that, or if "
        f"{negative!r} was meant, {_by_label(told, classes[::-1])}.",
        UserWarning,
        stacklevel=4,
    )


def _gammas(loss: FocalLoss) -> tuple[float, float]:
    """Those of negatives and positives."""
    gamma = loss.gamma
    return (gamma[1], gamma[0]) if isinstance(gamma, tuple) else (gamma, gamma)


def _alphas(loss: FocalLoss) -> tuple[float, float]:
    """Those of negatives and positives; None is none."""
    return (0.5, 0.5) if loss.alpha is None else (1 - loss.alpha, loss.alpha)


def _by_label(pairs: dict[str, tuple[float, float]], classes: NDArray[Any]) -> str:
    """The parameters as they can be typed."""
    return " and ".join(
        f"{name}={{{', '.join(map(_entry, classes.tolist(), pair))}}}"
        for name, pair in pairs.items()
    )


def _entry(label: Any, value: float) -> str:
    return f"{label!r}: {value:g}"
