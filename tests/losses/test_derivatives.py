"""Where the hessian is negative, what bounds it, and the limits of all of them."""

import mpmath as mp
import numpy as np
import pytest
from checks import LOSSES, each_loss, losses, numbers, random_property
from hypothesis import given
from oracles import closed_forms
from scipy.optimize import brentq
from scipy.special import expit

from focalboost import FocalLoss

MARGINS = np.linspace(-25, 40, 65_001)

#: gamma: root m* and p*, least hessian and its p, largest hessian and its p, and the
#: largest |gradient|.
LANDMARKS = {
    0.1: (-12.000, 6.1e-6, -2.3e-7, 2.3e-6, 0.2654, 0.498, 1.0000),
    0.25: (-6.001, 2.47e-3, -2.3e-4, 9.1e-4, 0.2882, 0.490, 1.0006),
    0.5: (-4.019, 1.77e-2, -3.3e-3, 6.5e-3, 0.3246, 0.470, 1.009),
    1: (-3.098, 4.32e-2, -1.65e-2, 1.6e-2, 0.3902, 0.427, 1.045),
    1.5: (-2.861, 5.41e-2, -3.21e-2, 2.0e-2, 0.4468, 0.387, 1.088),
    2: (-2.790, 5.79e-2, -4.72e-2, 2.1e-2, 0.4962, 0.354, 1.129),
    3: (-2.797, 5.75e-2, -7.42e-2, 2.1e-2, 0.5786, 0.301, 1.202),
    5: (-2.940, 5.02e-2, -1.17e-1, 1.8e-2, 0.7012, 0.231, 1.315),
    10: (-3.297, 3.57e-2, -1.88e-1, 1.3e-2, 0.8917, 0.147, 1.498),
}

each_gamma = pytest.mark.parametrize("gamma", LANDMARKS)


def positives(method, m=MARGINS):
    return method(np.ones_like(m), m)


def bound(loss, y_true, raw):
    """The curvature without its floor: that of a learning rate of next to nothing."""
    return loss.curvature(y_true, raw, max_learning_rate=1e-300)


def root(gamma):
    """The margin at which the hessian changes its sign."""
    return brentq(lambda m: FocalLoss(gamma).hessian(1.0, m), -60, 0, xtol=1e-14)


def within_last_digit(value):
    """Half a unit in the second digit of small numbers, in the third of others."""
    return pytest.approx(value, rel=0.05 if abs(value) < 0.03 else 3.5e-3)


@each_gamma
def test_landmarks_of_the_derivatives(gamma):
    m_root, p_root, least, p_least, largest, p_largest, steepest = LANDMARKS[gamma]
    hessian = positives(FocalLoss(gamma).hessian)
    slope = positives(FocalLoss(gamma).gradient)
    assert root(gamma) == pytest.approx(m_root, abs=6e-4)
    assert expit(root(gamma)) == within_last_digit(p_root)
    assert hessian.min() == within_last_digit(least)
    assert expit(MARGINS[hessian.argmin()]) == within_last_digit(p_least)
    assert hessian.max() == within_last_digit(largest)
    assert expit(MARGINS[hessian.argmax()]) == within_last_digit(p_largest)
    assert np.abs(slope).max() == within_last_digit(steepest)


@each_gamma
def test_the_hessian_is_negative_exactly_below_the_root(gamma):
    m = np.linspace(-690, 50, 74_001)
    hessian = positives(FocalLoss(gamma).hessian, m)
    np.testing.assert_array_equal(hessian < 0, m < root(gamma))
    np.testing.assert_array_equal(hessian > 0, m > root(gamma))


@each_gamma
def test_the_root_is_the_one_of_the_closed_form(gamma):
    with mp.workdps(30):
        exact = mp.findroot(lambda m: closed_forms(m, gamma).hessian, root(gamma))
    # The hessian there is the rounding error of its terms over its slope.
    assert root(gamma) == pytest.approx(float(exact), rel=1e-14)


def test_the_root_is_largest_near_two_and_a_half():
    gammas = np.linspace(1, 6, 501)
    p = expit([root(gamma) for gamma in gammas])
    assert gammas[p.argmax()] == pytest.approx(2.5, abs=0.15)
    assert p.max() == pytest.approx(0.0584, abs=5e-5)


@pytest.mark.parametrize("gamma", [0.02, 0.05, 0.1])
def test_the_root_for_small_gamma_tends_to_minus_two_minus_its_inverse(gamma):
    apart = 200 * np.exp(-1 / gamma) + 1e-13
    assert root(gamma) == pytest.approx(-2 - 1 / gamma, abs=apart)


def test_the_log_loss_has_no_negative_hessian():
    assert positives(FocalLoss(0).hessian, np.linspace(-690, 690, 20_001)).min() > 0


def test_gamma_zero_is_the_log_loss():
    loss, y_true = FocalLoss(0), np.ones_like(MARGINS)
    p = expit(MARGINS)
    gradient, hessian = loss.gradient_hessian(y_true, MARGINS)
    # expit and logaddexp are rounded too; a few units in the last place each.
    log_loss = np.logaddexp(0, -MARGINS)
    np.testing.assert_allclose(loss.loss(y_true, MARGINS), log_loss, rtol=2e-15)
    np.testing.assert_allclose(gradient, -expit(-MARGINS), rtol=2e-15)
    np.testing.assert_allclose(hessian, p * expit(-MARGINS), rtol=2e-15)


@given(losses(), numbers(8, -300, 300))
@random_property
def test_the_bound_exceeds_the_hessian_by_gamma_p_modulation_times_s_minus_q(loss, m):
    for y_true, gamma, alpha in zip((1.0, 0.0), loss.gammas, loss.alphas, strict=True):
        y, raw = np.full(8, y_true), m if y_true else -m
        p, q, s = expit(m), expit(-m), np.logaddexp(0, -m)
        gap = bound(loss, y, raw) - loss.hessian(y, raw)
        # The difference of numbers of the size of the bound, each to 5e-15.
        size = np.abs(loss.hessian(y, raw)) + bound(loss, y, raw)
        expected = alpha * gamma * p * q**gamma * (s - q)
        # 1e-300 is for numbers that have underflowed, as the floor of `bound` has.
        assert np.all(np.abs(gap - expected) <= 2e-14 * size + 1e-300)
        assert np.all(gap >= -1e-15 * size - 1e-300)


@each_loss
def test_the_certified_curvature_is_the_bound_or_the_floor(loss):
    y_true, raw = np.repeat([0.0, 1.0], 65_001), np.tile(MARGINS, 2)
    gradient, curvature = loss.gradient_curvature(y_true, raw, max_learning_rate=0.1)
    floor = np.abs(gradient) * (1 + max(loss.gammas)) * 0.1 / np.log(20)
    expected = np.maximum(bound(loss, y_true, raw), floor)
    np.testing.assert_allclose(curvature, expected, rtol=1e-15)


@pytest.mark.parametrize("eta", [1e-6, 0.01, 0.1, 0.3, 0.9, 1.9])
@pytest.mark.parametrize("gamma", [0, 2, (1, 4)])
def test_the_floor_solves_its_equation(gamma, eta):
    """Eta * exp(eta / rho) = 2: the furthest move is the furthest that is allowed."""
    loss = FocalLoss(gamma)
    gradient, curvature = loss.gradient_curvature(1.0, -60.0, max_learning_rate=eta)
    rho = curvature / abs(gradient) / (1 + max(loss.gammas))
    assert eta * np.exp(eta / rho) == pytest.approx(2, rel=1e-13)


@pytest.mark.parametrize(("eta", "rho"), [(0.3, 0.158), (0.1, 0.033)])
def test_known_values_of_the_floor(eta, rho):
    loss = FocalLoss(2)
    assert loss.curvature(1.0, -60.0, max_learning_rate=eta) / 3 == pytest.approx(
        rho, abs=5e-4
    )


@given(losses(), numbers(8, -40, 40), numbers(8, -5, 5))
@random_property
def test_the_hessian_nearby_stays_below_the_bound(loss, m, move):
    """Trust region: H(m + d) <= exp((1 + gamma) * |d|) * U(m)."""
    for y_true, gamma in zip((1.0, 0.0), loss.gammas, strict=True):
        y, sign = np.full(8, y_true), 2 * y_true - 1
        growth = np.exp((1 + gamma) * np.abs(move))
        # Margins are rounded: 40 * 1e-16 * (1 + 8) of the bound, and the formulas.
        limit = growth * bound(loss, y, sign * m) * (1 + 1e-13)
        assert np.all(loss.hessian(y, sign * (m + move)) <= limit)


@pytest.mark.parametrize("gamma", [0, 1, 2, 5])
def test_the_trust_region_is_attained_by_easy_rows(gamma):
    loss = FocalLoss(gamma)
    ratio = loss.hessian(1.0, 39.0) / bound(loss, 1.0, 40.0)
    assert ratio == pytest.approx(np.exp(1 + gamma), rel=1e-13)


@pytest.mark.parametrize("loss", LOSSES[:9], ids=repr)
def test_limits_of_easy_rows(loss):
    """L ~ q**(1 + gamma); each derivative adds a factor of -(1 + gamma)."""
    own, q = 1 + loss.gamma, expit(-40.0)
    gradient, hessian = loss.gradient_hessian(1.0, 40.0)
    # p = 1 - 4e-18, and q**8.3 by exp and log costs 40 * 8.3 * 1e-16 here.
    assert loss.loss(1.0, 40.0) == pytest.approx(q**own, rel=1e-13)
    assert gradient == pytest.approx(-own * q**own, rel=1e-13)
    assert hessian == pytest.approx(own**2 * q**own, rel=1e-13)
    assert bound(loss, 1.0, 40.0) == pytest.approx(hessian, rel=1e-15)


@pytest.mark.parametrize("loss", LOSSES[:9], ids=repr)
def test_limits_of_hard_rows(loss):
    gamma, m = loss.gamma, 100.0
    gradient, hessian = loss.gradient_hessian(1.0, -m)
    assert loss.loss(1.0, -m) == m
    assert gradient == -1
    expected = -(gamma * m - 1 - 2 * gamma) * np.exp(-m)
    assert hessian == pytest.approx(expected, rel=1e-14)
