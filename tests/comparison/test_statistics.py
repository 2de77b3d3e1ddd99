"""Random orders, paired differences, and p-values of several."""

from itertools import permutations

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import average_precision_score, log_loss, roc_curve

from focalboost.comparison._result import (
    chance,
    expected_average_precision,
    holm,
    p_value_above_chance,
    paired_difference,
    scores,
)


@pytest.mark.parametrize(("n_rows", "n_positive"), [(2, 1), (5, 1), (5, 3), (6, 5)])
def test_the_expected_average_precision_is_the_mean_over_all_orders(n_rows, n_positive):
    y_true = np.arange(n_rows) < n_positive
    values = [
        average_precision_score(y_true, order) for order in permutations(range(n_rows))
    ]
    expected = expected_average_precision(n_rows, n_positive)
    assert expected == pytest.approx(np.mean(values))


def test_p_values_are_uniform_under_chance_and_small_above_it():
    rng = np.random.default_rng(0)
    y_true = np.arange(200) < 8
    means = [
        np.mean([average_precision_score(y_true, rng.random(200)) for _ in range(3)])
        for _ in range(60)
    ]
    sizes = [(200, 8)] * 3
    p_values = [p_value_above_chance(mean, sizes) for mean in means]
    assert stats.kstest(p_values, "uniform").pvalue > 0.01
    assert p_value_above_chance(0.5, sizes) < 0.001
    assert p_value_above_chance(0.04, sizes) > 0.9  # that of one constant


def test_the_interval_is_the_corrected_resampled_one():
    rng = np.random.default_rng(0)
    values, reference = rng.normal(size=(2, 10))
    found = paired_difference(values, reference, test_per_train=0.25)
    d = values - reference
    spread = np.sqrt((1 / 10 + 0.25) * d.var(ddof=1))
    low, high = stats.t.interval(0.95, 9, d.mean(), spread)
    assert (found.mean, found.low, found.high) == pytest.approx((d.mean(), low, high))
    assert found.p_value == pytest.approx(2 * stats.t.sf(abs(d.mean()) / spread, 9))
    # Without an overlap of training sets it is the paired t-test.
    plain = paired_difference(values, reference, test_per_train=0.0)
    assert plain.p_value == pytest.approx(stats.ttest_rel(values, reference).pvalue)


def test_folds_that_one_of_the_two_lacks_do_not_count():
    values = np.array([1.0, np.nan, 3.0, 4.0])
    found = paired_difference(values, np.array([0.0, 1.0, np.nan, 1.0]), 0.5)
    assert (found.mean, found.n_folds) == (2.0, 2)
    alone = paired_difference(values[:2], values[:2], 0.5)
    assert alone.n_folds == 1
    assert np.isnan(alone.mean)
    assert np.isnan(alone.p_value)


def test_equal_scores_are_no_difference():
    same = paired_difference(np.ones(5), np.ones(5), 0.25)
    assert (same.mean, same.low, same.high, same.p_value) == (0, 0, 0, 1)


def test_holm_is_the_step_down_of_bonferroni():
    adjusted = holm(np.array([0.01, 0.04, 0.03, 0.005]))
    np.testing.assert_allclose(adjusted, [0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([0.9, 0.8])).tolist() == [1, 1]


def test_scores_are_scikit_learns():
    rng = np.random.default_rng(0)
    y_true, log_odds = rng.random(400) < 0.1, rng.normal(-3, 2, 400)
    weight = rng.uniform(0.5, 2, 400)
    p = 1 / (1 + np.exp(-log_odds))
    for w in (None, weight):
        found = scores(y_true, log_odds, 1.0, 0.1, w)
        expected = average_precision_score(y_true, p, sample_weight=w)
        assert found.average_precision == pytest.approx(expected)
        assert found.log_loss == pytest.approx(log_loss(y_true, p, sample_weight=w))
        assert found.brier == pytest.approx(np.average((y_true - p) ** 2, weights=w))
        rates, recall, _ = roc_curve(
            y_true, p, sample_weight=w, drop_intermediate=False
        )
        assert found.recall == recall[rates <= 0.1].max()


def test_the_corrected_log_loss_divides_the_odds():
    y_true, log_odds = np.array([0, 1, 0]), np.array([1.0, 2.0, -1.0])
    found = scores(y_true, log_odds, 4.0, 0.1)
    odds = np.exp(log_odds) / 4
    assert found.corrected_log_loss == pytest.approx(
        log_loss(y_true, odds / (1 + odds))
    )


def test_probabilities_of_zero_and_one_cost_what_they_are_worth():
    """Clipped ones of scikit-learn would cost at most 36."""
    found = scores(np.array([0, 1]), np.array([900.0, -900.0]), 1.0, 0.1)
    assert found.log_loss == 900


def test_a_constant_is_judged_by_the_prevalence_and_a_random_order():
    y_true = np.arange(100) < 4
    found = chance(y_true, 0.05, 0.01)
    assert found.average_precision == expected_average_precision(100, 4)
    assert found.average_precision > 0.04
    assert found.log_loss == pytest.approx(log_loss(y_true, np.full(100, 0.05)))
    assert found.brier == pytest.approx(np.mean((y_true - 0.05) ** 2))
    assert found.recall == 0.01
