"""The checkers pass what is right and find what is wrong."""

from dataclasses import dataclass

import numpy as np
import pytest
from checks import (
    STEP,
    assert_curvature_bounds_hessian,
    assert_gradient_matches_loss,
    assert_hessian_matches_gradient,
    central_difference,
    each_loss,
    worst_leaf,
)
from scipy.special import expit

from focalboost import FocalLoss

#: Multiples of the step, so that raw + step is exact.
RAW = np.round(np.linspace(-20, 20, 321) / STEP) * STEP
POSITIVE, NEGATIVE = np.ones_like(RAW), np.zeros_like(RAW)
SOFT = np.linspace(0, 1, RAW.size)

each_label = pytest.mark.parametrize(
    "y_true", [POSITIVE, NEGATIVE, SOFT], ids=["positive", "negative", "soft"]
)


@each_label
@each_loss
def test_gradient_is_the_derivative_of_the_loss(loss, y_true):
    assert_gradient_matches_loss(loss, y_true, RAW)


@each_label
@each_loss
def test_hessian_is_the_derivative_of_the_gradient(loss, y_true):
    assert_hessian_matches_gradient(loss, y_true, RAW)


@each_label
@each_loss
def test_curvature_bounds_the_hessian(loss, y_true):
    assert_curvature_bounds_hessian(loss, y_true, RAW)


def test_differences_are_of_fourth_order():
    """They are exact for polynomials of the fourth degree, and only for those."""
    assert central_difference(lambda at: at**4, 1.5) == pytest.approx(13.5, rel=1e-11)
    wrong = central_difference(lambda at: at**5, 0.0)
    assert wrong == pytest.approx(-4 * STEP**4, rel=1e-6)


@dataclass(frozen=True)
class FlippedSign(FocalLoss):
    def gradient(self, y_true, raw, weight=None):
        return -super().gradient(y_true, raw, weight)


@dataclass(frozen=True)
class DroppedTerm(FocalLoss):
    """The modulation is not differentiated: gamma * p * s is missing."""

    def gradient(self, y_true, raw, weight=None):
        modulation = np.abs(y_true - expit(raw)) ** self.gamma
        return modulation * (expit(raw) - y_true)


@dataclass(frozen=True)
class ShiftedGamma(FocalLoss):
    """A gradient that is wrong by one part in a million."""

    def gradient(self, y_true, raw, weight=None):
        return FocalLoss(self.gamma * (1 + 1e-6)).gradient(y_true, raw, weight)


@dataclass(frozen=True)
class ClippedProbability(FocalLoss):
    """p_t is held above 1e-6: wrong for the hardest rows only."""

    def gradient(self, y_true, raw, weight=None):
        raw = np.clip(raw, -13.8, 13.8)
        return super().gradient(y_true, raw, weight)


@pytest.mark.parametrize(
    "planted", [FlippedSign, DroppedTerm, ShiftedGamma, ClippedProbability]
)
@pytest.mark.parametrize("y_true", [POSITIVE, NEGATIVE], ids=["positive", "negative"])
def test_a_wrong_gradient_is_found(planted, y_true):
    with pytest.raises(AssertionError, match="wrong at y="):
        assert_gradient_matches_loss(planted(2.0), y_true, RAW)


@dataclass(frozen=True)
class WithoutCrossTerm(FocalLoss):
    """The hessian without its negative term."""

    def hessian(self, y_true, raw, weight=None):
        m = (2 * y_true - 1) * raw
        p, q, s = expit(m), expit(-m), np.logaddexp(0, -m)
        gamma = self.gamma
        return p * q**gamma * ((1 + 2 * gamma) * q + gamma**2 * p * s)


@dataclass(frozen=True)
class NegatedHessian(FocalLoss):
    def hessian(self, y_true, raw, weight=None):
        return -super().hessian(y_true, raw, weight)


@pytest.mark.parametrize("planted", [WithoutCrossTerm, NegatedHessian])
@pytest.mark.parametrize("y_true", [POSITIVE, NEGATIVE], ids=["positive", "negative"])
def test_a_wrong_hessian_is_found(planted, y_true):
    with pytest.raises(AssertionError, match="wrong at y="):
        assert_hessian_matches_gradient(planted(2.0), y_true, RAW)


@dataclass(frozen=True)
class LowCurvature(FocalLoss):
    """The factor 1 + gamma is missing, as in a reweighted log loss."""

    def curvature(self, y_true, raw, weight=None, **limit):
        m = (2 * y_true - 1) * raw
        return np.abs(self.gradient(y_true, raw)) * np.maximum(expit(m), 0.158)


@dataclass(frozen=True)
class HessianAsCurvature(FocalLoss):
    def curvature(self, y_true, raw, weight=None, **limit):
        return self.hessian(y_true, raw, weight)


def test_a_curvature_below_the_hessian_is_found():
    with pytest.raises(AssertionError, match="below the hessian"):
        assert_curvature_bounds_hessian(LowCurvature(2.0), POSITIVE, RAW)


def test_a_curvature_that_is_not_positive_is_found():
    with pytest.raises(AssertionError, match="not positive"):
        assert_curvature_bounds_hessian(HessianAsCurvature(2.0), POSITIVE, RAW)


@dataclass(frozen=True)
class UnderflowedCurvature(FocalLoss):
    def gradient_curvature(self, y_true, raw, weight=None, **limit):
        gradient = self.gradient(y_true, raw, weight)
        return gradient, np.maximum(self.hessian(y_true, raw, weight), 1e-16)


def test_the_search_for_a_bad_leaf_finds_one():
    assert worst_leaf(UnderflowedCurvature(2.0), 0.3).rise > 0
