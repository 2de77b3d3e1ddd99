"""Reliability, held against plain sums over the rows of each bin."""

import numpy as np
import pytest
from scipy.stats import binomtest

from focalboost import FocalLoss
from focalboost.diagnostics import reliability


@pytest.fixture(scope="module")
def rows():
    """Probabilities at 1 in 200 and labels drawn with them."""
    rng = np.random.default_rng(0)
    probability = rng.beta(0.05, 10, size=60_000)
    return (rng.random(60_000) < probability).astype(int), probability


def test_bins_are_sums_over_consecutive_rows(rows):
    y_true, p = rows
    weight = np.random.default_rng(1).uniform(0.5, 2, len(p))
    result = reliability(y_true, p, weight, n_bins=7)
    order = np.argsort(p)
    groups = np.split(order, np.cumsum(result.n_rows)[:-1])
    assert len(groups) == 7
    for i, group in enumerate(groups):
        w = weight[group]
        assert result.weight[i] == pytest.approx(w.sum())
        assert result.predicted[i] == pytest.approx(np.average(p[group], weights=w))
        assert result.observed[i] == pytest.approx(np.average(y_true[group], weights=w))
    error = np.average(
        np.abs(result.observed - result.predicted), weights=result.weight
    )
    assert result.expected_calibration_error == pytest.approx(error)
    prevalence = np.average(y_true, weights=weight)
    assert result.relative_calibration_error == pytest.approx(error / prevalence)


@pytest.mark.parametrize("mass", ["positives", "rows"])
def test_bins_have_the_same_mass(rows, mass):
    y_true, p = rows
    result = reliability(y_true, p, mass=mass)
    masses = result.weight * (result.predicted if mass == "positives" else 1)
    assert len(masses) == 10
    np.testing.assert_allclose(masses, masses.mean(), rtol=0.02)
    assert np.all(np.diff(result.predicted) > 0)


def test_intervals_are_those_of_the_rows(rows):
    result = reliability(*rows, level=0.9)
    for i, n_rows in enumerate(result.n_rows):
        n_positive = round(result.observed[i] * n_rows)
        wilson = binomtest(n_positive, n_rows).proportion_ci(0.9, method="wilson")
        assert result.low[i] == pytest.approx(wilson.low, abs=1e-12)
        assert result.high[i] == pytest.approx(wilson.high, abs=1e-12)


def test_right_probabilities_are_right_and_focal_scores_are_not(rows):
    y_true, posterior = rows
    inside = np.clip(posterior, 1e-12, 1 - 1e-12)
    score = 1 / (1 + np.exp(-FocalLoss(2).inverse_posterior(inside)))
    right, wrong = reliability(y_true, posterior), reliability(y_true, score)
    hits = (right.low <= right.predicted) & (right.predicted <= right.high)
    assert hits.mean() >= 0.8
    assert not np.any((wrong.low <= wrong.predicted) & (wrong.predicted <= wrong.high))
    assert wrong.relative_calibration_error > 5 * right.relative_calibration_error


def test_a_constant_is_one_bin():
    result = reliability([0, 0, 0, 1], np.full(4, 0.5))
    assert result.n_rows.tolist() == [4]
    assert result.relative_calibration_error == 1  # twice the prevalence
    assert reliability([0, 1], [0, 0]).observed.tolist() == [0.5]


def test_rows_of_weight_zero_do_not_count(rows):
    y_true, p = rows
    weight = (np.arange(len(p)) % 3 > 0).astype(float)
    some = reliability(y_true, p, weight)
    without = reliability(y_true[weight > 0], p[weight > 0])
    np.testing.assert_array_equal(some.to_pandas(), without.to_pandas())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"probability": [0.1, 1.2]}, r"probability must be in \[0, 1\]; got 1.2"),
        ({"probability": [-3, 2]}, r"Use model.predict_proba.*, or loss.posterior\("),
        ({"probability": [0.1, np.nan]}, "probability must be finite"),
        ({"probability": [0.1]}, "probability must be of shape"),
        ({"y_true": [1, 1]}, "y_true must be labels of two classes"),
        ({"y_true": ["ok", "fraud"]}, "Pass y == 'fraud', if that is the class to"),
        ({"sample_weight": [1, -1]}, "sample_weight must be finite"),
        ({"sample_weight": [1, 0]}, "y_true must be labels of two classes"),
        ({"n_bins": 0}, "n_bins must be a whole number >= 1"),
        ({"mass": "equal"}, "mass must be one of"),
        ({"level": 0}, "level must be between"),
    ],
)
def test_wrong_arguments_are_named(change, message):
    right = {"y_true": [0, 1], "probability": [0.1, 0.4]}
    with pytest.raises(ValueError, match=message):
        reliability(**{**right, **change})
