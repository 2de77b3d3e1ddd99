"""Loss, gradient, hessian and curvature against the definition in mpmath."""

import mpmath as mp
import numpy as np
import pytest
from checks import GAMMAS, each_loss
from oracles import (
    DIGITS,
    calibration,
    closed_forms,
    definition,
    derivative,
    exact_values,
    margins,
    risk,
    risk_by_definition,
)

from focalboost import FocalLoss

SINGLE_GAMMAS = [gamma for gamma in GAMMAS if not isinstance(gamma, tuple)]

#: Where the closed forms are proved: both tails, the bend, and numbers of no pattern.
PROOF_MARGINS = [
    *(-800, -317.3, -40, -16.7, -9.1, -5, -3, -2.79, -1, -0.3, -1e-3),
    *(0, 1e-9, 0.02, 0.7, 1.3, 2.2, 4.6, 8, 20, 37.1, 88.9, 211, 800),
]

each_dtype = pytest.mark.parametrize("dtype", ["float64", "float32"])

#: The largest relative error that is allowed.
PRECISION = {"float64": 5e-15, "float32": 3e-6}


@pytest.mark.parametrize("gamma", SINGLE_GAMMAS)
def test_closed_forms_are_the_derivatives_of_the_definition(gamma):
    for m in PROOF_MARGINS:
        forms = closed_forms(m, gamma)
        for order, form in enumerate([forms.loss, forms.slope, forms.hessian]):
            assert_equal_to_40_digits(form, derivative(m, gamma, order))


@pytest.mark.parametrize("m", [-1e4, 1e4])
def test_closed_forms_are_the_derivatives_far_out(m):
    assert_equal_to_40_digits(closed_forms(m, 2).hessian, derivative(m, 2, 2))


def assert_equal_to_40_digits(value, other):
    with mp.workdps(DIGITS):
        assert abs(value - other) <= mp.mpf(10) ** -40 * abs(other)


def test_the_definition_is_the_paper_s():
    """Lin et al., figure 1: at p_t = 0.9 and gamma = 2 a hundredth of the log loss."""
    m = mp.log(9)
    assert definition(m, 0) == pytest.approx(0.10536, rel=1e-4)
    assert definition(m, 2) == pytest.approx(0.0010536, rel=1e-4)


def test_a_wrong_closed_form_would_be_found():
    with pytest.raises(AssertionError):
        assert_equal_to_40_digits(closed_forms(0.7, 2).slope, derivative(0.7, 2, 2))


@pytest.mark.parametrize("gammas", [(2, 2), (0, 2), (0.5, 0)])
@pytest.mark.parametrize("raw", [-12.3, -0.4, 0, 2.2, 31])
def test_calibration_is_the_stationarity_of_the_risk(gammas, raw):
    """With masses of a ratio of exp(T(raw)) the risk is stationary at raw."""
    with mp.workdps(DIGITS + 40):
        masses = (mp.exp(calibration(raw, gammas)), mp.mpf(1))
        risks = (risk_by_definition(raw, masses, gammas), risk(raw, masses, gammas))
        assert abs(risks[0] - risks[1]) <= mp.mpf(10) ** -40 * risks[0]
        slope = mp.diff(lambda z: risk_by_definition(z, masses, gammas), mp.mpf(raw))
        assert abs(slope) <= mp.mpf(10) ** -40 * risks[0]


def on_grid(loss, label, dtype):
    """Labels and raw predictions, and the exact values of what loss gives there."""
    m = margins(dtype)
    y_true, raw = np.full_like(m, label), m if label else -m
    gamma, scale = loss.gammas[1 - label], loss.alphas[1 - label]
    return y_true, raw, exact_values(gamma, max(loss.gammas), scale, 0.3, dtype)


def assert_precise(actual, exact, dtype, scale=None, smallest=0.0):
    """Check the relative error, or that against a scale.

    What is below the smallest normal number has no relative precision left; it may
    be wrong by four times that number, or by `smallest`.
    """
    assert actual.dtype == dtype
    assert np.all(np.isfinite(actual))
    scale = np.abs((scale or exact).high)
    tiny = float(np.finfo(dtype).tiny)
    relative = np.where(scale >= tiny, PRECISION[dtype] * scale, 4 * tiny)
    excess = exact.distance(actual) / np.maximum(relative, smallest)
    worst = int(np.argmax(excess))
    assert excess[worst] <= 1, (
        f"{excess[worst]} times too wrong, {margins(dtype)[worst]}"
    )


@each_dtype
@pytest.mark.parametrize("label", [0, 1])
@each_loss
def test_loss_and_gradient_are_precise(loss, label, dtype):
    y_true, raw, exact = on_grid(loss, label, dtype)
    with np.errstate(all="raise", under="ignore"):
        value, gradient = loss.loss(y_true, raw), loss.gradient(y_true, raw)
    assert_precise(value, exact["loss"], dtype)
    assert_precise(gradient * (2 * label - 1), exact["slope"], dtype)


@each_dtype
@pytest.mark.parametrize("label", [0, 1])
@each_loss
def test_hessian_and_curvature_are_precise(loss, label, dtype):
    y_true, raw, exact = on_grid(loss, label, dtype)
    with np.errstate(all="raise", under="ignore"):
        gradient, hessian = loss.gradient_hessian(y_true, raw)
        same_gradient, curvature = loss.gradient_curvature(y_true, raw)
    np.testing.assert_array_equal(gradient, same_gradient)
    assert_precise(curvature, exact["curvature"], dtype)
    terms, lost = exact["hessian_terms"], lost_with_p(loss, dtype)
    assert_precise(hessian, exact["hessian"], dtype, scale=terms, smallest=lost)


def lost_with_p(loss, dtype):
    """What the hessian may be wrong by where p_t is below the smallest normal number.

    p_t has no relative precision left there, and the hessian is p_t times a number
    that grows like gamma * |m|.
    """
    m, tiny = margins(dtype).astype(np.float64), float(np.finfo(dtype).tiny)
    gamma = max(loss.gammas)
    return np.where(m < np.log(tiny), 4 * tiny * (1 + 2 * gamma) * (1 + np.abs(m)), 0)


@each_dtype
@pytest.mark.parametrize("gamma", [0.5, 2, 7.3])
def test_hessian_is_right_until_it_underflows(gamma, dtype):
    """p_t underflows at a margin of -708, gamma * |m| * p_t only some units later."""
    y_true, raw, exact = on_grid(FocalLoss(gamma), 1, dtype)
    hessian = FocalLoss(gamma).hessian(y_true, raw)
    tiny = float(np.finfo(dtype).tiny)
    normal = np.abs(exact["hessian"].high) >= tiny
    # Of p_t half the digits may be lost; of the hessian no more than of p_t.
    wrong = exact["hessian"].distance(hessian) > 0.5 * np.abs(exact["hessian"].high)
    np.testing.assert_array_equal(margins(dtype)[normal & wrong], [])


@each_dtype
@pytest.mark.parametrize("label", [0, 1])
@each_loss
def test_curvature_is_positive_and_bounds_the_hessian(loss, label, dtype):
    y_true, raw, exact = on_grid(loss, label, dtype)
    hessian, curvature = loss.hessian(y_true, raw), loss.curvature(y_true, raw)
    tiny = np.finfo(dtype).tiny
    assert np.all((curvature > 0) | (exact["curvature"].high < tiny))
    # For easy rows the two are equal, to four units in the last place.
    slack = 4 * np.finfo(dtype).eps * curvature + tiny
    assert np.all(hessian <= curvature + slack)


@each_dtype
@each_loss
def test_nothing_is_infinite_at_the_largest_numbers(loss, dtype):
    largest = np.finfo(dtype).max
    raw = np.array([largest, -largest, largest / 2, -largest / 2], dtype)
    y_true = np.array([0, 1, 1, 0], dtype)
    with np.errstate(all="raise", under="ignore"):
        values = [loss.loss(y_true, raw), *loss.gradient_curvature(y_true, raw)]
        values.append(loss.hessian(y_true, raw))
    assert all(np.all(np.isfinite(value)) for value in values)


def test_the_gradient_of_the_hardest_rows_tends_to_alpha():
    raw = np.array([-1e3, 1e3, -1e5, 1e5, -1e100, 1e100, -1e307, 1e307])
    y_true = np.tile([1.0, 0.0], 4)
    gradient = FocalLoss(2, alpha=0.25).gradient(y_true, raw)
    np.testing.assert_allclose(gradient, np.tile([-0.25, 0.75], 4), rtol=5e-15)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_grid_reaches_both_ends(dtype):
    m = margins(dtype)
    assert m.min() == -1e4
    assert m.max() == 1e4
    assert np.diff(m[np.abs(m) <= 50]).max() <= 0.0501


def test_a_value_wrong_by_more_than_allowed_is_found():
    exact = exact_values(2, 2, 1, 0.3, "float64")
    assert_precise(exact["loss"].high, exact["loss"], "float64")
    with pytest.raises(AssertionError, match="too wrong"):
        assert_precise(exact["loss"].high * (1 + 1e-14), exact["loss"], "float64")
    shifted = exact["loss"].high + 5 * np.finfo(np.float64).tiny
    with pytest.raises(AssertionError, match="too wrong"):
        assert_precise(shifted, exact["loss"], "float64")
