"""The constant raw prediction of least loss."""

import mpmath as mp
import numpy as np
import pytest
from checks import LOSSES, each_loss, losses, random_property
from hypothesis import given
from hypothesis import strategies as st
from oracles import DIGITS, calibration, minimiser, risk
from scipy.special import expit, logit

from focalboost import FocalLoss

PREVALENCES = [1e-9, 1e-7, 1e-5, 1e-3, 0.02, 0.3, 0.5, 0.77, 0.999, 1 - 1e-6]

each_prevalence = pytest.mark.parametrize("prevalence", PREVALENCES)

#: gamma: baseline and expit(baseline) at 1 positive in 1000 and in 10 million.
KNOWN = {
    0: (-6.907, 0.0010, -16.118, 1e-7),
    0.5: (-4.862, 0.0077, -11.016, 1.6e-5),
    1: (-3.755, 0.0229, -8.405, 2.2e-4),
    2: (-2.545, 0.0728, -5.726, 3.2e-3),
    5: (-1.240, 0.2244, -2.881, 5.3e-2),
}


def masses(loss, prevalence):
    """The masses of the classes, alpha included, as exact numbers."""
    with mp.workdps(DIGITS):
        shares = (mp.mpf(prevalence), 1 - mp.mpf(prevalence))
        return [mp.mpf(a) * share for a, share in zip(loss.alphas, shares, strict=True)]


@pytest.mark.parametrize("gamma", KNOWN)
def test_known_baselines(gamma):
    rare, rare_p, rarer, rarer_p = KNOWN[gamma]
    loss = FocalLoss(gamma)
    for one_in, raw, p in ((1e3, rare, rare_p), (1e7, rarer, rarer_p)):
        # 1 in 1000 is one positive and 999 negatives; four digits are printed.
        baseline = loss.baseline_of_masses(1, one_in - 1)
        assert baseline == pytest.approx(raw, abs=6e-4)
        assert expit(baseline) == pytest.approx(p, rel=0.03)


@each_prevalence
@each_loss
def test_the_baseline_has_the_least_risk(loss, prevalence):
    """The exact risk rises to both sides, so its only minimum lies in between.

    It lies within 1e-13, the rounding of the log-odds and of a number up to 25.
    """
    exact = masses(loss, prevalence)
    baseline = loss.baseline_of_masses(prevalence, 1 - prevalence)
    with mp.workdps(DIGITS):
        below, at, above = (
            risk(mp.mpf(baseline) + step, exact, loss.gammas)
            for step in (mp.mpf(-1e-13), 0, mp.mpf(1e-13))
        )
    assert below > at < above


@pytest.mark.parametrize("prevalence", [1e-9, 0.02, 0.77, 1 - 1e-6])
@pytest.mark.parametrize("loss", LOSSES[::4], ids=repr)
def test_the_baseline_is_the_minimiser_of_the_risk(loss, prevalence):
    exact = minimiser(masses(loss, prevalence), loss.gammas)
    baseline = loss.baseline_of_masses(prevalence, 1 - prevalence)
    assert baseline == pytest.approx(float(exact), rel=0, abs=1e-13)


@each_loss
def test_the_risk_falls_to_the_baseline_and_rises_from_it(loss):
    raw = np.linspace(-40, 40, 4001)
    positive = loss.loss(np.ones_like(raw), raw)
    negative = loss.loss(np.zeros_like(raw), raw)
    steps = np.diff(0.003 * positive + 0.997 * negative)
    turn = np.searchsorted(raw, loss.baseline_of_masses(0.003, 0.997))
    assert np.all(steps[: turn - 1] < 0)
    assert np.all(steps[turn:] > 0)


@each_prevalence
@each_loss
def test_the_gradient_sums_to_zero_at_the_baseline(loss, prevalence):
    y_true = np.array([1.0, 0.0])
    weight = np.array([prevalence, 1 - prevalence])
    raw = np.full(2, loss.baseline(y_true, weight))
    positive, negative = loss.gradient(y_true, raw, weight)
    # Each falls by (1 + gamma) times the error of a baseline up to 25.
    assert positive == pytest.approx(-negative, rel=1e-13)


@each_loss
def test_the_hessian_sum_is_not_negative_at_the_baseline(loss):
    """As it is at 1 in 1000 from the log-odds, where gamma is 2 or more."""
    y_true, weight = np.array([1.0, 0.0]), np.array([0.001, 0.999])
    at = np.full(2, loss.baseline(y_true, weight))
    assert loss.hessian(y_true, at, weight).sum() > 0


def test_the_hessian_sum_is_negative_at_the_log_odds():
    y_true, weight = np.array([1.0, 0.0]), np.array([0.001, 0.999])
    at = np.full(2, logit(0.001))
    assert FocalLoss(2).hessian(y_true, at, weight).sum() < 0


def slope_at_zero(gamma):
    """The slope of the log-odds T at a raw prediction of 0."""
    log2 = np.log(2)
    return gamma + (1 + gamma * (1 - log2)) / (1 + gamma * log2)


@given(st.floats(0, 10), st.floats(-35, 35))
@random_property
def test_the_bracket_of_equal_gammas_holds(gamma, odds):
    """c / (1 + gamma) <= z <= (c + log(1 + gamma)) / (1 + gamma), mirrored for c < 0.

    Also z <= c / T'(0), as long as T is flattest at 0: for gamma up to 5.6.
    """
    low, width = abs(odds) / (1 + gamma), np.log1p(gamma) / (1 + gamma)
    baseline = FocalLoss(gamma).baseline_of_masses(np.exp(odds), 1)
    # log(exp(odds)) is off by 1e-16; the baseline is good for 1e-14 near 35.
    assert low - 2e-14 <= abs(baseline) <= low + width + 2e-14
    assert width <= 1 / np.e
    assert baseline * odds >= 0
    if gamma <= 5.6:
        assert abs(baseline) <= abs(odds) / slope_at_zero(gamma) + 2e-14


def test_log_odds_are_not_flattest_at_zero_for_large_gamma():
    assert FocalLoss(6).baseline_of_masses(np.e, 1) > 1 / slope_at_zero(6) + 1e-7


@pytest.mark.parametrize("prevalence", [1e-9, 0.3, 0.9])
def test_gamma_zero_is_the_log_odds(prevalence):
    baseline = FocalLoss(0).baseline_of_masses(prevalence, 1 - prevalence)
    assert baseline == pytest.approx(logit(prevalence), rel=1e-15)


def test_weights_count_as_masses():
    y_true, weight = np.array([1, 0, 0, 1]), np.array([0.5, 3, 4, 0.25])
    loss = FocalLoss((0.5, 2), alpha=0.3)
    assert loss.class_masses(y_true, weight) == (0.75, 7)
    assert loss.class_masses(y_true) == (2, 2)
    assert loss.baseline(y_true, weight) == loss.baseline_of_masses(0.75, 7)


def test_masses_of_columns_with_one_weight_per_row():
    y_true = np.array([[1, 0], [1, 1], [0, 0]])
    positive, negative = FocalLoss().class_masses(y_true, [1, 2, 4])
    np.testing.assert_array_equal(positive, [3, 2])
    np.testing.assert_array_equal(negative, [4, 5])


def test_every_column_has_its_own_baseline():
    rng = np.random.default_rng(0)
    y_true, weight = (
        (rng.random((50, 3)) < [0.1, 0.3, 0.8]).astype(float),
        rng.random(50),
    )
    loss = FocalLoss((0.5, 2), alpha=0.3)
    columns = [loss.baseline(column, weight) for column in y_true.T]
    np.testing.assert_allclose(loss.baseline(y_true, weight), columns, rtol=1e-14)
    masses = loss.class_masses(y_true, weight)
    single = [loss.class_masses(column, weight) for column in y_true.T]
    expected = sum(loss.best_constant_loss(pair) for pair in single)
    assert loss.best_constant_loss(masses) == pytest.approx(expected, rel=1e-14)


@each_loss
def test_the_loss_of_a_constant_is_that_of_all_rows(loss):
    """Two kinds of rows, each as heavy as its class."""
    positive, negative = loss.loss([1, 0], [-0.7, -0.7])
    expected = 3 * positive + 40 * negative
    assert loss.constant_loss(-0.7, (3, 40)) == pytest.approx(expected, rel=1e-14)


@each_loss
def test_the_best_constant_is_the_baseline(loss):
    best = loss.best_constant_loss((3, 40))
    baseline = loss.baseline_of_masses(3, 40)
    assert best == pytest.approx(loss.constant_loss(baseline, (3, 40)), rel=1e-14)
    for step in (-0.1, 0.1):
        assert best < loss.constant_loss(baseline + step, (3, 40))


@each_loss
def test_raw_prediction_0_stands_for_the_best_constant_of_one_class(loss):
    positive, negative = loss.loss([1, 0], [0.0, 0.0])
    assert loss.best_constant_loss((3, 0)) == pytest.approx(3 * positive, rel=1e-14)
    assert loss.best_constant_loss((0, 7)) == pytest.approx(7 * negative, rel=1e-14)
    masses = np.array([3.0, 0.0]), np.array([0.0, 7.0])
    expected = 3 * positive + 7 * negative
    assert loss.best_constant_loss(masses) == pytest.approx(expected, rel=1e-14)


def test_a_column_of_one_class_has_a_finite_baseline():
    y_true = np.array([[1, 1], [0, 1]])
    posterior = FocalLoss().posterior(FocalLoss().baseline(y_true))
    np.testing.assert_allclose(posterior, [0.5, 1 - 1e-6], rtol=1e-9)


def test_soft_labels_count_for_both_classes():
    assert FocalLoss().class_masses([0.25, 0.5], [2, 1]) == (1, 2)


def test_float32_labels_are_summed_in_float64():
    """A float32 sum stops growing at 2**24."""
    loss, weight = FocalLoss(), np.array([2.0**24, 1, 1], np.float32)
    y_true = np.array([1, 1, 0], np.float32)
    assert loss.class_masses(y_true, weight) == (2**24 + 1, 1)


@given(losses(), st.floats(-20, 20))
@random_property
def test_alpha_multiplies_the_masses(loss, odds):
    positive = np.exp(odds)
    plain = FocalLoss(loss.gamma)
    expected = plain.baseline_of_masses(positive * loss.alphas[0], loss.alphas[1])
    # Both log-odds are rounded, at a size of up to 25.
    baseline = loss.baseline_of_masses(positive, 1.0)
    assert baseline == pytest.approx(expected, abs=2e-14)


@pytest.mark.parametrize("masses", [(1e-300, 1e300), (5e-324, 1e308), (1e308, 5e-324)])
@each_loss
def test_extreme_masses_have_a_finite_baseline(loss, masses):
    baseline = loss.baseline_of_masses(*masses)
    expected = np.log(masses[0]) - np.log(masses[1])
    # Four units in the last place: T is within 4 eps of the log-odds' own size.
    assert loss.posterior_log_odds(baseline) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("label", [0, 1])
@pytest.mark.parametrize("weight", [None, [1e-30, 3e-30, 0], [1e30, 0, 1e30]])
@each_loss
def test_a_class_without_weight_counts_as_a_millionth(loss, label, weight):
    baseline = loss.baseline([label] * 3, weight)
    odds = loss.posterior_log_odds(baseline)
    assert odds == pytest.approx((2 * label - 1) * np.log(1e6), rel=1e-12)


@pytest.mark.parametrize("masses", [(0, 0), (-1, 1), (np.nan, 1), (1, np.inf)])
def test_masses_that_are_no_weights_have_no_baseline(masses):
    with pytest.raises(ValueError, match="y_true must be labels of rows with finite"):
        FocalLoss().baseline_of_masses(*masses)


@pytest.mark.parametrize("arrays", [([],), ([1, 0], [0, 0])])
def test_no_weight_has_no_baseline(arrays):
    with pytest.raises(ValueError, match="y_true must be labels of rows with finite"):
        FocalLoss().baseline(*arrays)


@pytest.mark.parametrize("gamma", [50, 1000, (0, 100), (1000, 0)])
def test_large_gammas_have_a_baseline(gamma):
    loss = FocalLoss(gamma)
    for prevalence in (1e-9, 0.001, 0.5, 0.999):
        baseline = loss.baseline_of_masses(prevalence, 1 - prevalence)
        # T multiplies the rounding of the baseline by 1 + gamma.
        log_odds = calibration(baseline, loss.gammas)
        assert float(log_odds) == pytest.approx(logit(prevalence), abs=1e-12)


@pytest.mark.parametrize("gamma", [1e16, (0, 1e16), 1000.5])
def test_a_gamma_too_large_for_a_baseline_is_refused(gamma):
    """At 1e16, 1 + gamma is gamma, and T has no root left."""
    with pytest.raises(ValueError, match="gamma must be a number from 0 to 1000"):
        FocalLoss(gamma)


@pytest.mark.parametrize("labels", [np.array([0, 1, 1]), np.array([[0], [1], [1]])])
def test_the_baseline_is_a_number_or_one_for_each_column(labels):
    baseline = FocalLoss(2).baseline(labels)
    if labels.ndim == 1:
        assert type(baseline) is float  # not NumPy's, whose repr names its type
    else:
        assert (baseline.dtype, baseline.shape) == (np.float64, (1,))
