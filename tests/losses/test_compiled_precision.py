"""The compiled formulas to the last bit, in float64, and to a few ulp, in float32."""

import numpy as np
import pytest
from checks import LOSSES, each_loss
from compiled import EVERY_LOSS, by_formulas, each_raw_dtype, needed

from focalboost import SoftmaxFocalLoss

pytestmark = needed

N_ROWS = 5000

#: Of raw predictions, as a part of their size, in float32 or beyond its range.
ENDS = [0, 2.0**-100, 1, 16.75, 40, 87.5, 103, 104.5, 150, 192, 700, 745, 2.0**99]

cases = pytest.mark.parametrize(
    ("loss", "method"),
    [(loss, "gradient_curvature") for loss in EVERY_LOSS]
    + [(loss, "gradient_hessian") for loss in LOSSES],
    ids=str,
)


def rows(loss, dtype):
    """Labels and raw predictions, whose differences are exact in float32."""
    rng = np.random.default_rng(0)
    n_classes = getattr(loss, "n_classes", None)
    raw = 6 * rng.normal(size=(N_ROWS, n_classes) if n_classes else N_ROWS)
    raw[::5] *= 6
    y = rng.integers(n_classes or 2, size=N_ROWS).astype(np.float32)
    return y, (np.round(128 * raw) / 128).astype(dtype)


@cases
def test_float64_is_rounded_once(loss, method, counted):
    """So all results but a few in a million are those of the formulas, rounded.

    Weights up to 1e30 bring back what would underflow.
    """
    y, raw = rows(loss, "float64")
    weight = 10 ** np.random.default_rng(1).uniform(-10, 30, N_ROWS)
    found = getattr(loss, method)(y, raw, weight, dtype="float32")
    expected = by_formulas(getattr(loss, method), y, raw, weight)
    for one, other in zip(found, expected, strict=True):
        assert np.sum(one != other.astype(np.float32)) <= 1
        np.testing.assert_allclose(one, other, rtol=1.2e-7, atol=1.5e-45)
    assert set(counted) == {True}


@pytest.mark.parametrize("loss", EVERY_LOSS, ids=repr)
def test_float32_loses_a_few_ulp(loss, counted):
    """At most two of each factor q and four of the rest; on average, none.

    With so low a rate the floor leaves small probabilities as they are.
    """
    y, raw = rows(loss, "float32")
    found = loss.gradient_curvature(y, raw, max_learning_rate=1e-6)
    expected = by_formulas(loss.gradient_curvature, y, raw, max_learning_rate=1e-6)
    for one, other in zip(found, expected, strict=True):
        normal = np.abs(other) > 1e-37
        ulp = (one - other)[normal] / other[normal] / np.finfo(np.float32).eps
        assert np.max(np.abs(ulp)) < 4 + 2 * max(loss.gammas)
        assert np.abs(np.mean(ulp)) < 0.1
        assert np.all(np.abs(one[~normal]) < 1.1e-37)
    assert set(counted) == {True}


@each_loss
def test_float32_loses_a_few_ulp_of_the_hessian_s_terms(loss, counted):
    """The hessian crosses zero."""
    y, raw = rows(loss, "float32")
    gradient, hessian = loss.gradient_hessian(y, raw)
    exact = by_formulas(loss.gradient_hessian, y, raw)[1]
    assert np.all(abs(hessian - exact) <= 4e-7 * (1 + 2 * max(loss.gammas)))
    np.testing.assert_array_equal(gradient, loss.gradient_curvature(y, raw)[0])
    assert set(counted) == {True}


@each_raw_dtype
@pytest.mark.parametrize("loss", EVERY_LOSS, ids=repr)
def test_extreme_raw_predictions(loss, dtype, counted):
    raw = np.concatenate([np.negative(ENDS), ENDS]).astype(dtype)
    if isinstance(loss, SoftmaxFocalLoss):
        raw = np.stack([raw] + [raw[::-1] / 8] * (loss.n_classes - 1), axis=1)
    for label in (0.0, 1.0):
        y = np.full(len(raw), label)
        found = loss.gradient_curvature(y, raw, dtype="float32")
        expected = by_formulas(loss.gradient_curvature, y, raw)
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=2e-6, atol=2.4e-38)
    assert set(counted) == {True}
