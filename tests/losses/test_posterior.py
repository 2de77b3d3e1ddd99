"""The link: from raw predictions to the class-posterior and back."""

import mpmath as mp
import numpy as np
import pytest
from checks import LOSSES, each_loss, losses, numbers, random_property
from hypothesis import given
from hypothesis import strategies as st
from oracles import DIGITS, Exact, calibration, minimiser
from scipy.special import expit, logit

from focalboost import FocalLoss

EQUAL_GAMMAS = [0, 0.1, 0.5, 1, 1.5, 2, 3, 5, 7.3, 10]
PAIRS = [(0, 2), (1, 4), (0.5, 0), (4, 1), (0.5, 2)]

each_equal_gamma = pytest.mark.parametrize("gamma", EQUAL_GAMMAS)
each_gamma = pytest.mark.parametrize("gamma", EQUAL_GAMMAS + PAIRS, ids=str)
each_dtype = pytest.mark.parametrize("dtype", [np.float64, np.float32])

SIZES = np.unique([*np.geomspace(1e-10, 1e4, 400), *np.linspace(0.9, 1.1, 21)])
RAW = np.concatenate([-SIZES[::-1], [0.0], SIZES])


def exact_log_odds(gamma, raw):
    gammas = FocalLoss(gamma).gammas
    return Exact.of([calibration(float(z), gammas) for z in raw])


@each_dtype
@each_gamma
def test_log_odds_are_precise(gamma, dtype):
    """To four units in the last place; of 1 for pairs, as their T cancels at a root."""
    raw = RAW.astype(dtype)
    exact = exact_log_odds(gamma, raw)
    actual = FocalLoss(gamma).posterior_log_odds(raw)
    size = np.abs(exact.high)
    scale = np.maximum(size, 1) if isinstance(gamma, tuple) else size
    assert actual.dtype == dtype
    assert np.all(exact.distance(actual) <= 4 * np.finfo(dtype).eps * scale)


def test_log_odds_of_the_log_loss_are_the_raw_prediction():
    np.testing.assert_array_equal(FocalLoss(0).posterior_log_odds(RAW), RAW)


@each_equal_gamma
def test_log_odds_are_odd(gamma):
    log_odds = FocalLoss(gamma).posterior_log_odds
    np.testing.assert_array_equal(log_odds(-RAW), -log_odds(RAW))


@pytest.mark.parametrize("gamma", PAIRS, ids=str)
def test_log_odds_of_swapped_gammas_mirror(gamma):
    log_odds = FocalLoss(gamma).posterior_log_odds(-RAW)
    mirrored = -FocalLoss(gamma[::-1]).posterior_log_odds(RAW)
    # At 0 both take the formula for positive numbers; 1 is the size of its terms.
    np.testing.assert_allclose(log_odds, mirrored, rtol=0, atol=1e-15)


@each_gamma
def test_log_odds_are_strictly_increasing(gamma):
    """Where neighbours are further apart than T is precise."""
    dense = np.linspace(-50, 50, 400_001)
    assert np.all(np.diff(FocalLoss(gamma).posterior_log_odds(dense)) > 0)
    assert np.all(np.diff(FocalLoss(gamma).posterior_log_odds(RAW)) > 0)


def slopes(gamma, raw, step=2.0**-10):
    """Slopes of T between neighbours that are one step away, good for 1e-11."""
    log_odds = FocalLoss(gamma).posterior_log_odds
    return (log_odds(raw + step) - log_odds(raw - step)) / (2 * step)


@pytest.mark.parametrize(
    ("gamma", "least"), [(0.5, 1.357), (1, 1.772), (2, 2.676), (5, 5.57)]
)
def test_slopes_lie_between_that_at_zero_and_one_plus_gamma(gamma, least):
    formula = gamma + (1 + gamma * (1 - np.log(2))) / (1 + gamma * np.log(2))
    found = slopes(gamma, np.linspace(-40, 40, 8001))
    assert formula == pytest.approx(least, rel=5e-4)
    # Around 0 the differences miss the slope by step**2 times a number of size 1.
    assert found.min() == pytest.approx(formula, abs=1e-6)
    assert found.min() >= formula - 1e-11
    assert found.max() <= 1 + gamma + 1e-11


@each_gamma
def test_slopes_exceed_those_of_the_proof(gamma):
    """T' > gamma_neg * q + gamma_pos * p."""
    raw = np.linspace(-20, 20, 4001)
    positive, negative = FocalLoss(gamma).gammas
    assert np.all(slopes(gamma, raw) > negative * expit(-raw) + positive * expit(raw))


@pytest.mark.parametrize("posterior", [1e-9, 1e-4, 0.07, 0.5, 0.8, 0.999, 1 - 1e-6])
@pytest.mark.parametrize("loss", LOSSES[1::4], ids=repr)
def test_the_posterior_is_recovered_from_the_minimiser_of_the_risk(loss, posterior):
    with mp.workdps(DIGITS):
        shares = (mp.mpf(posterior), 1 - mp.mpf(posterior))
        pairs = zip(loss.alphas, shares, strict=True)
        masses = [mp.mpf(alpha) * share for alpha, share in pairs]
    raw = np.float64(minimiser(masses, loss.gammas))
    # The minimiser is rounded to 1e-15, and T multiplies that by 1 + gamma.
    assert loss.posterior(raw) == pytest.approx(posterior, rel=1e-13)
    complement = expit(-loss.posterior_log_odds(raw))
    assert complement == pytest.approx(float(shares[1]), rel=1e-13)


@each_loss
def test_the_posterior_at_the_baseline_is_the_prevalence(loss):
    for prevalence in (1e-9, 0.001, 0.3, 0.9):
        baseline = loss.baseline_of_masses(prevalence, 1 - prevalence)
        assert loss.posterior(baseline) == pytest.approx(prevalence, rel=1e-13)


def test_sample_weights_are_not_undone():
    loss, weight = FocalLoss(2), np.array([10.0, 1, 1, 1])
    baseline = loss.baseline([1, 0, 0, 0], weight)
    assert loss.posterior(baseline) == pytest.approx(10 / 13, rel=1e-14)


@pytest.mark.parametrize(
    ("gamma", "times"), [(0, 1), (0.5, 7.68), (1, 22.9), (2, 72.8), (5, 224.4)]
)
def test_expit_overstates_a_posterior_of_one_in_a_thousand(gamma, times):
    raw = FocalLoss(gamma).inverse_posterior(0.001)
    assert expit(raw) / 0.001 == pytest.approx(times, rel=2e-3)


def test_alpha_shifts_the_log_odds():
    raw = np.linspace(-5, 5, 11)
    shifted = FocalLoss((0, 2)).posterior_log_odds(raw) - logit(0.25)
    actual = FocalLoss((0, 2), alpha=0.25).posterior_log_odds(raw)
    np.testing.assert_allclose(actual, shifted, rtol=1e-15, atol=1e-15)


@pytest.mark.parametrize("gamma", EQUAL_GAMMAS)
def test_the_likelier_class_is_that_of_the_sign(gamma):
    posterior = FocalLoss(gamma).posterior(RAW)
    np.testing.assert_array_equal(posterior[RAW < -1e-9] < 0.5, True)
    np.testing.assert_array_equal(posterior[RAW > 1e-9] > 0.5, True)
    assert FocalLoss(gamma).posterior(0.0) == 0.5


@given(losses(), numbers(8, -700, 700))
@random_property
def test_the_raw_prediction_is_recovered_from_its_posterior(loss, odds):
    posterior = expit(np.minimum(odds, 30))
    raw = loss.inverse_posterior(posterior)
    assert raw.dtype == np.float64
    # 1 - posterior is good for 1e-16 / (1 - posterior); log-odds for 1e-16 of 700.
    allowed = 1e-12 + 4e-16 / expit(-np.minimum(odds, 30))
    assert np.all(np.abs(loss.posterior_log_odds(raw) - logit(posterior)) <= allowed)
    again = loss.posterior(raw)
    np.testing.assert_allclose(again, posterior, rtol=2e-12)


@given(losses(), st.floats(-80, 1))
@random_property
def test_the_posterior_determines_the_raw_prediction(loss, raw):
    posterior = loss.posterior(raw)
    # T grows by less than 1e-16 per 1e-16 of raw only where gamma is 0 on that side.
    assert loss.inverse_posterior(posterior) == pytest.approx(raw, rel=1e-13, abs=1e-13)


@each_loss
def test_posteriors_increase_from_zero_to_one(loss):
    raw = np.linspace(-30, 30, 2001)
    posterior = loss.posterior(np.array([-1e4, *raw, 1e4]))
    assert np.all(np.diff(posterior) >= 0)
    assert 0 <= posterior[0] < np.finfo(np.float64).tiny
    assert posterior[-1] == 1
    assert np.all(np.diff(posterior[posterior < 0.5]) > 0)


@pytest.mark.parametrize("posterior", [0.0, 1.0, -0.1, 1.5, np.nan, np.inf])
def test_a_posterior_on_or_beyond_the_border_has_no_inverse(posterior):
    with pytest.raises(ValueError, match=rf"posterior must be .*; got {posterior}\."):
        FocalLoss().inverse_posterior([0.5, posterior])
