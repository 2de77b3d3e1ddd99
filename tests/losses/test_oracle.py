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
    rho,
    risk,
)

from focalboost import FocalLoss

SINGLE_GAMMAS = [gamma for gamma in GAMMAS if not isinstance(gamma, tuple)]

#: Where the closed forms are proved: both tails, the bend, and numbers of no pattern.
PROOF_MARGINS = [
    *(-800, -317.3, -40, -16.7, -9.1, -5, -3, -2.79, -1, -0.3, -1e-3),
    *(0, 1e-9, 0.02, 0.7, 1.3, 2.2, 4.6, 8, 20, 37.1, 88.9, 211, 800),
]

each_dtype = pytest.mark.parametrize("dtype", ["float64", "float32"])

each_form = pytest.mark.usefixtures("form")

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

    def in_words(z):
        return odds * definition(z, gammas[0]) + definition(-z, gammas[1])

    with mp.workdps(DIGITS + 40):
        odds, raw = mp.exp(calibration(raw, gammas)), mp.mpf(raw)
        expected = in_words(raw)
        assert_equal_to_40_digits(risk(raw, (odds, 1), gammas), expected)
        assert abs(mp.diff(in_words, raw)) <= mp.mpf(10) ** -40 * expected


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


@each_form
@each_dtype
@pytest.mark.parametrize("label", [0, 1])
@each_loss
def test_loss_and_gradient_are_precise(loss, label, dtype):
    y_true, raw, exact = on_grid(loss, label, dtype)
    with np.errstate(all="raise", under="ignore"):
        value, gradient = loss.loss(y_true, raw), loss.gradient(y_true, raw)
    assert_precise(value, exact["loss"], dtype)
    assert_precise(gradient * (2 * label - 1), exact["slope"], dtype)


@each_form
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
    terms = exact["hessian_terms"]
    lost = lost_with_p(terms, dtype)
    assert_precise(hessian, exact["hessian"], dtype, scale=terms, smallest=lost)


def lost_with_p(terms, dtype):
    """What the hessian may be wrong by where p_t is below the smallest normal number.

    p_t has no relative precision left there, nor has the hessian: p_t times a number
    that grows like gamma * |m|. It may be all of its terms, but no more than that.
    """
    subnormal = margins(dtype) < np.log(np.finfo(dtype).tiny)
    return np.where(subnormal, terms.high, 0)


@each_form
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


@each_form
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


@each_form
@each_dtype
@each_loss
def test_limits_at_the_largest_numbers(loss, dtype):
    """The loss is |m|, the gradient alpha, and the hessian has underflowed."""
    raw = np.array([-1e30, -1e15, 1e15, 1e30], dtype)
    y_true = np.array([1, 1, 0, 0], dtype)
    alpha = np.where(y_true == 1, *loss.alphas)
    with np.errstate(all="raise", under="ignore"):
        value = loss.loss(y_true, raw)
        gradient, hessian = loss.gradient_hessian(y_true, raw)
        curvature = loss.curvature(y_true, raw)
    rtol = PRECISION[dtype]
    np.testing.assert_allclose(value, alpha * np.abs(raw), rtol)
    np.testing.assert_allclose(gradient, alpha * np.sign(raw), rtol)
    assert np.all(np.abs(hessian) <= np.finfo(dtype).tiny)
    floor = (1 + max(loss.gammas)) * float(rho(0.3))
    np.testing.assert_allclose(curvature, alpha * floor, rtol)


@each_form
@each_dtype
@each_loss
def test_easy_rows_vanish_at_the_largest_numbers(loss, dtype):
    raw = np.array([1e30, 1e15, -1e15, -1e30], dtype)
    y_true = np.array([1, 1, 0, 0], dtype)
    with np.errstate(all="raise", under="ignore"):
        values = [loss.loss(y_true, raw), *loss.gradient_hessian(y_true, raw)]
        values.append(loss.curvature(y_true, raw))
    assert np.all(np.abs(values) <= np.finfo(dtype).tiny)


@each_dtype
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
