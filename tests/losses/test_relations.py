"""Relations between what a loss gives for related data."""

import numpy as np
import pytest
from checks import losses, numbers, random_property
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.special import expit

from focalboost import FocalLoss

N_ROWS = 6

#: Up to 60, so that nothing underflows: at gamma = 8 the loss is 1e-234 there.
raws = numbers(N_ROWS, -60, 60)
#: Multiples of 1/64, so that 1 - y is exact.
labels = hnp.arrays(np.int64, N_ROWS, elements=st.integers(0, 64)).map(lambda n: n / 64)
weights = numbers(N_ROWS, 0, 1e3)
counts = hnp.arrays(np.int64, N_ROWS, elements=st.integers(0, 4))

QUANTITIES = ("loss", "gradient", "hessian", "curvature")

each_quantity = pytest.mark.parametrize("quantity", QUANTITIES)


def terms(loss, quantity, y_true, raw):
    """The parts of both classes, whose sum is the quantity for a soft label."""
    method = getattr(loss, quantity)
    positive, negative = np.ones_like(raw), np.zeros_like(raw)
    return y_true * method(positive, raw), (1 - y_true) * method(negative, raw)


@each_quantity
@given(loss=losses(), y_true=labels, raw=raws)
@random_property
def test_a_soft_label_is_a_mixture_of_hard_ones(quantity, loss, y_true, raw):
    positive, negative = terms(loss, quantity, y_true, raw)
    mixture = getattr(loss, quantity)(y_true, raw)
    # The parts of a gradient have two signs: rounding is that of the larger one.
    size = np.abs(positive) + np.abs(negative)
    assert np.all(np.abs(mixture - (positive + negative)) <= 2e-15 * size)


@each_quantity
@given(loss=losses(), y_true=labels, raw=raws)
@random_property
def test_swapping_the_classes_mirrors(quantity, loss, y_true, raw):
    alpha = None if loss.alpha is None else 1 - loss.alpha
    swapped = FocalLoss(loss.gammas[::-1], alpha)
    sign = -1 if quantity == "gradient" else 1
    mirrored = sign * getattr(swapped, quantity)(1 - y_true, -raw)
    size = sum(np.abs(part) for part in terms(loss, quantity, y_true, raw))
    # The two parts are added in another order.
    difference = np.abs(getattr(loss, quantity)(y_true, raw) - mirrored)
    assert np.all(difference <= 1e-15 * size)


@each_quantity
@given(loss=losses(), y_true=labels, raw=raws, weight=weights)
@random_property
def test_weights_multiply(quantity, loss, y_true, raw, weight):
    method = getattr(loss, quantity)
    size = sum(np.abs(part) for part in terms(loss, quantity, y_true, raw))
    difference = np.abs(method(y_true, raw, weight) - weight * method(y_true, raw))
    # The product is taken in another order; a small weight may make it underflow.
    assert np.all(difference <= 2e-15 * weight * size + 1e-300)


@given(losses(), labels, raws, counts)
@random_property
def test_an_integer_weight_is_a_repeated_row(loss, y_true, raw, count):
    """And a weight of 0 an absent row."""
    y_rows, raw_rows = np.repeat(y_true, count), np.repeat(raw, count)
    for quantity in QUANTITIES:
        weighted = getattr(loss, quantity)(y_true, raw, count).sum()
        repeated = getattr(loss, quantity)(y_rows, raw_rows)
        # Sums of at most 24 numbers, in another order.
        allowed = 2e-14 * count @ sum(map(np.abs, terms(loss, quantity, y_true, raw)))
        assert abs(weighted - repeated.sum()) <= allowed
    assert loss.class_masses(y_true, count) == pytest.approx(
        loss.class_masses(y_rows), rel=1e-14
    )


@given(losses(), raws, st.integers(1, 50), st.integers(1, 50))
@random_property
def test_the_baseline_counts_a_weighted_row_as_repeated(loss, raw, ones, zeros):
    repeated = loss.baseline(np.repeat([1, 0], [ones, zeros]))
    assert loss.baseline([1, 0, 1, 0], [ones, zeros, 0, 0]) == repeated
    assert loss.baseline_of_masses(ones, zeros) == repeated


@given(losses(), numbers(N_ROWS, -1e4, 1e4), labels)
@random_property
def test_the_loss_is_not_negative(loss, raw, y_true):
    assert np.all(loss.loss(y_true, raw) >= 0)


@given(raws, labels, st.floats(0, 8), st.floats(0, 8))
@random_property
def test_the_loss_falls_in_gamma(raw, y_true, first, second):
    low, high = sorted([first, second])
    # Powers of nearly equal gammas may be rounded the other way.
    more = FocalLoss(low).loss(y_true, raw) * (1 + 5e-15)
    assert np.all(FocalLoss(high).loss(y_true, raw) <= more)


@given(losses(), raws)
@random_property
def test_the_modulating_factor_is_the_ratio_to_the_log_loss(loss, raw):
    for label, gamma, alpha in zip((1, 0), loss.gammas, loss.alphas, strict=True):
        y_true = np.full_like(raw, label)
        plain = FocalLoss(0).loss(y_true, raw)
        q = expit(raw if label == 0 else -raw)
        # The power multiplies the rounding of q by up to 8, and that of expit too.
        expected = alpha * q**gamma * plain
        np.testing.assert_allclose(loss.loss(y_true, raw), expected, rtol=1e-14)


@given(losses(), labels, raws, weights)
@random_property
def test_gradients_of_all_methods_are_the_same(loss, y_true, raw, weight):
    gradient = loss.gradient(y_true, raw, weight)
    first, hessian = loss.gradient_hessian(y_true, raw, weight)
    second, curvature = loss.gradient_curvature(y_true, raw, weight)
    np.testing.assert_array_equal(first, gradient)
    np.testing.assert_array_equal(second, gradient)
    np.testing.assert_array_equal(hessian, loss.hessian(y_true, raw, weight))
    np.testing.assert_array_equal(curvature, loss.curvature(y_true, raw, weight))


@given(losses(), raws, weights)
@random_property
def test_an_alpha_of_one_half_halves(loss, raw, weight):
    plain, half = FocalLoss(loss.gamma), FocalLoss(loss.gamma, alpha=0.5)
    y_true = np.array([0.0, 1.0] * 3)
    for quantity in QUANTITIES:
        expected = getattr(plain, quantity)(y_true, raw, weight) / 2
        # A product with a power of two is exact until it underflows.
        actual = getattr(half, quantity)(y_true, raw, weight)
        np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-300)
    assert half.baseline([1, 0, 0]) == plain.baseline([1, 0, 0])


@given(losses(), numbers(N_ROWS, -30, 30), st.floats(0.01, 1.9), st.floats(0.01, 1.9))
@random_property
def test_the_curvature_grows_with_the_learning_rate(loss, raw, first, second):
    low, high = sorted([first, second])
    y_true = np.array([0.0, 1.0] * 3)
    less = loss.curvature(y_true, raw, max_learning_rate=low)
    more = loss.curvature(y_true, raw, max_learning_rate=high)
    # The floors of neighbouring learning rates may be rounded the other way.
    assert np.all(less <= more * (1 + 1e-15))
