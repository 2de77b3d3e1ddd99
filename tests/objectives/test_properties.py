"""Objectives and metrics at any call, drawn at random."""

import pickle

import numpy as np
import pytest
from checks import losses, numbers, random_property
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.special import expit

from focalboost import FocalLoss, focal_metric, focal_objective

N_ROWS = 8

raws = numbers(N_ROWS, -40, 40)
labels = hnp.arrays(np.int64, N_ROWS, elements=st.integers(0, 1))
weights = st.none() | numbers(N_ROWS, 0, 1e3)
dtypes = st.sampled_from([np.float16, np.float32, np.float64, np.longdouble, ">f4"])
strides = st.sampled_from([lambda a: a, lambda a: np.repeat(a, 3)[::3]])
rates = st.floats(0.01, 1.9)

pytestmark = pytest.mark.filterwarnings("ignore:Training starts from raw prediction")


@given(losses(), labels, raws, weights, dtypes, strides, rates)
@random_property
def test_gradients_are_what_hosts_can_take(loss, y, raw, weight, dtype, stride, rate):
    raw = stride(raw.astype(dtype))
    objective = focal_objective(loss.gamma, loss.alpha, max_learning_rate=rate)
    results = objective(y, raw, weight)
    exact = loss.gradient_curvature(
        y, raw.astype(np.float64), weight, max_learning_rate=rate
    )
    for result, expected in zip(results, exact, strict=True):
        assert type(result) is np.ndarray
        assert result.dtype == np.float32
        assert result.dtype.isnative
        assert result.flags.c_contiguous
        assert result.shape == (N_ROWS,)
        assert np.all(np.isfinite(result))
        # Float32 raw predictions are computed with in float32.
        np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-37)
    if weight is not None:
        assert not any(np.any(result[weight == 0]) for result in results)


@given(losses(), labels, raws, weights)
@random_property
def test_every_form_of_a_call_is_the_same(loss, y, raw, weight):
    objective = focal_objective(loss.gamma, loss.alpha)
    expected = objective(y, raw, weight)
    copies = pickle.loads(pickle.dumps(objective)), objective
    for one in copies:
        assert one == objective
        assert hash(one) == hash(objective)
        for found in (one(y, raw, sample_weight=weight), one(y.tolist(), raw, weight)):
            for a, b in zip(found, expected, strict=True):
                np.testing.assert_array_equal(a, b)


@given(losses(), labels, raws, numbers(N_ROWS, 0.01, 100), st.floats(1e-3, 1e3))
@random_property
def test_the_metric_is_relative(loss, y, raw, weight, factor):
    metric = focal_metric(loss.gamma, loss.alpha)
    value = metric(y, raw, weight)
    assert value >= 0
    assert np.isfinite(value)
    # Neither a common factor of the weights nor alpha's scale matters.
    assert metric(y, raw, factor * weight) == pytest.approx(value, rel=1e-9, abs=1e-12)
    if 0 < y.sum() < N_ROWS:
        best = np.full(N_ROWS, loss.baseline(y, weight))
        assert metric(y, best, weight) == pytest.approx(1, rel=1e-9)


@given(labels, raws, hnp.arrays(np.int64, N_ROWS, elements=st.integers(0, 4)))
@random_property
def test_the_metric_counts_a_weighted_row_as_repeated(y, raw, count):
    if count.sum() == 0:
        return
    metric = focal_metric(gamma=1)
    repeated = metric(np.repeat(y, count), np.repeat(raw, count))
    assert metric(y, raw, count) == pytest.approx(repeated, rel=1e-9)


@given(losses(), labels, numbers(N_ROWS, -8, 8), rates)
@random_property
def test_a_step_of_a_leaf_lowers_the_loss(loss, y, raw, rate):
    """The certificate, for what the objective gives a host: one leaf of all rows."""
    objective = focal_objective(loss.gamma, loss.alpha, max_learning_rate=rate)
    gradient, curvature = (r.astype(np.float64) for r in objective(y, raw))
    if curvature.sum() < 1e-30:
        return
    moved = raw - rate * gradient.sum() / curvature.sum()
    before, after = loss.loss(y, raw).sum(), loss.loss(y, moved).sum()
    assert after <= before * (1 + 1e-6)


@pytest.mark.parametrize("curvature", ["certified", "exact"])
@given(labels, raws)
@random_property
def test_gamma_zero_is_the_log_loss(curvature, y, raw):
    gradient, second = focal_objective(0, curvature=curvature)(y, raw)
    p, q = expit(raw), expit(-raw)
    np.testing.assert_allclose(gradient, np.where(y == 1, -q, p), rtol=1e-6)
    if curvature == "exact":
        np.testing.assert_allclose(second, p * q, rtol=1e-6)
    else:
        assert np.all(second >= FocalLoss(0).hessian(y, raw) * (1 - 1e-6))
