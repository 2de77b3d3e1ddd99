"""What every loss must satisfy, as checks that any test can run.

A check takes an object with the methods of `FocalLoss` and raises AssertionError.
losses/test_checks.py runs each of them on a loss with a planted error.
"""

import math
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from focalboost import FocalLoss

__all__ = [
    "GAMMAS",
    "LOSSES",
    "assert_curvature_bounds_hessian",
    "assert_gradient_matches_loss",
    "assert_hessian_matches_gradient",
    "assert_loss_never_rises",
    "boosted",
    "each_loss",
    "losses",
    "numbers",
    "random_property",
    "worst_leaf",
]

GAMMAS = (0, 0.1, 0.5, 1, 1.5, 2, 3, 5, 7.3, (0, 2), (1, 4), (0.5, 0))

#: Every loss that the tests are run on.
LOSSES = [FocalLoss(gamma) for gamma in GAMMAS]
LOSSES += [FocalLoss(gamma, 0.25) for gamma in (0.5, 2, (1, 4))]

each_loss = pytest.mark.parametrize("loss", LOSSES, ids=repr)

#: The same examples in every run, and no limit on the time of one.
random_property = settings(max_examples=100)


@st.composite
def losses(draw):
    """Draw a loss: one focusing parameter or a pair, with and without alpha.

    alpha is a multiple of 1/64, so that 1 - (1 - alpha) is alpha again.
    """
    focusing = st.sampled_from([0.0, 0.5, 1.0, 2.0]) | st.floats(0, 8)
    gamma = draw(focusing | st.tuples(focusing, focusing))
    sixty_fourths = draw(st.none() | st.integers(1, 63))
    return FocalLoss(gamma, sixty_fourths and sixty_fourths / 64)


def numbers(n, low, high):
    """Draw n numbers between low and high."""
    inside = st.floats(low, high, allow_subnormal=False)
    return hnp.arrays(np.float64, n, elements=inside)


#: The step of the differences: about 1e-3, and a power of two, so that the steps from
#: a raw prediction with few binary digits are exact.
STEP = 2.0**-10


def central_difference(function, at):
    """Return the derivative by fourth-order central differences."""
    near = function(at + STEP) - function(at - STEP)
    far = function(at + 2 * STEP) - function(at - 2 * STEP)
    return (8 * near - far) / (12 * STEP)


def _assert_is_derivative(derivative, function, y_true, raw):
    """Compare with differences of the function.

    rtol: the differences leave out STEP**4 / 30 times the fifth derivative, which is
    at most (1 + gamma)**4 times the first, together 2e-10 at gamma = 7.3. atol: a
    relative error of 2e-15 in the function, divided by STEP, is 4e-12 of its size;
    for a soft label that is the size of what is added to give it.
    """
    differences = central_difference(lambda at: function(y_true, at), raw)
    positive, negative = np.ones_like(y_true), np.zeros_like(y_true)
    size = y_true * np.abs(function(positive, raw))
    size += (1 - y_true) * np.abs(function(negative, raw))
    excess = np.abs(derivative(y_true, raw) - differences)
    allowed = 1e-8 * np.abs(differences) + 1e-11 * size
    worst = int(np.argmax(excess - allowed))
    assert np.all(excess <= allowed), f"wrong at y={y_true[worst]}, raw={raw[worst]}"


def assert_gradient_matches_loss(loss, y_true, raw):
    """The gradient is the derivative of the loss."""
    _assert_is_derivative(loss.gradient, loss.loss, y_true, raw)


def assert_hessian_matches_gradient(loss, y_true, raw):
    """The hessian is the derivative of the gradient."""
    _assert_is_derivative(loss.hessian, loss.gradient, y_true, raw)


def assert_curvature_bounds_hessian(loss, y_true, raw):
    """The curvature is positive and not below the hessian, but for its rounding.

    For easy rows the two are equal to the last bits: four units in the last place.
    """
    hessian, curvature = loss.hessian(y_true, raw), loss.curvature(y_true, raw)
    slack = 4 * np.finfo(curvature.dtype).eps
    assert np.all(curvature > 0), f"not positive at {raw[~(curvature > 0)][:1]}"
    low = ~(curvature * (1 + slack) >= hessian)
    assert not np.any(low), f"below the hessian at y={y_true[low][:1]}, {raw[low][:1]}"


def boosted(
    loss,
    y_true,
    raw,
    rounds,
    *,
    learning_rate,
    max_learning_rate=None,
    penalty=0.0,
    weight=None,
):
    """Yield the raw predictions after each round of plain boosting.

    A round is an array with the number of the leaf that each row falls into.
    """
    limit = max_learning_rate or learning_rate
    for leaves in rounds:
        gradient, curvature = loss.gradient_curvature(
            y_true, raw, weight, max_learning_rate=limit
        )
        total = np.bincount(leaves, gradient)
        below = np.bincount(leaves, curvature) + penalty
        # A leaf without rows stays where it is.
        step = np.divide(total, below, out=np.zeros_like(total), where=below != 0)
        raw = raw - learning_rate * step[leaves]
        yield raw


def assert_loss_never_rises(loss, y_true, raw, rounds, *, weight=None, **options):
    """No round of boosting raises the total loss.

    The relative error of a loss is below 5e-15, that of a raw prediction at most
    (1 + gamma) * |raw| * 1e-16 of it: 1e-12 is above both and below any real rise.
    """
    before = math.fsum(loss.loss(y_true, raw, weight))
    states = boosted(loss, y_true, raw, rounds, weight=weight, **options)
    for number, state in enumerate(states):
        after = math.fsum(loss.loss(y_true, state, weight))
        assert after <= before * (1 + 1e-12), f"round {number}: {before} -> {after}"
        before = after


class Leaf(NamedTuple):
    """Two rows, and what they lose in a round per unit of pull and of move."""

    rise: float
    y_true: np.ndarray
    raw: np.ndarray
    weight: np.ndarray


def worst_leaf(loss, learning_rate):
    """Return the leaf that raises the loss most; below 0 none raises it.

    A leaf of rows of weights w moves by that d for which their pulls balance,
    sum(w * (gradient + d * curvature / learning_rate)) = 0. By linear programming
    the largest rise for its pulls is that of two rows, one eager to move further and
    one reluctant. A penalty is a reluctant row without a loss, a soft label two
    rows: they make no leaf worse. Searched are margins in [-60, 60], moves to 60.
    """
    margin = np.arange(-60, 60.125, 0.25)
    y_true, raw = np.repeat([0.0, 1.0], margin.size), np.tile(margin, 2)
    before = loss.loss(y_true, raw)
    gradient, curvature = loss.gradient_curvature(
        y_true, raw, max_learning_rate=learning_rate
    )
    found = []
    for move in np.multiply.outer([1, -1], np.geomspace(1e-3, 60, 150)).flat:
        pull = np.sign(move) * gradient + abs(move) * curvature / learning_rate
        size = np.where(pull == 0, 1, np.abs(pull))
        rise = (loss.loss(y_true, raw + move) - before) / (size * abs(move))
        eager = int(np.argmax(np.where(pull < 0, rise, -np.inf)))
        reluctant = int(np.argmax(np.where(pull > 0, rise, -np.inf)))
        rows = np.array([eager, reluctant])
        total = rise[eager] + max(rise[reluctant], 0.0)
        if pull[eager] < 0 < pull[reluctant]:
            found.append(Leaf(total, y_true[rows], raw[rows], 1 / size[rows]))
    return max(found, key=lambda leaf: leaf.rise)
