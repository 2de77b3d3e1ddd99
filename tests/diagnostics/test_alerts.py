"""Alerts, held against what their definitions say row by row."""

import numpy as np
import pytest
from checks import random_property
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import average_precision_score

from focalboost.diagnostics import alert_overlap, alerts, cheapest_threshold
from focalboost.diagnostics._predictions import wilson

LABELS = st.lists(st.tuples(st.booleans(), st.integers(0, 4)), min_size=4, max_size=12)


def expected_found(y_true, score, n_alerts):
    """Positives above the last score alerted on, and their share of the rest of it."""
    last = np.sort(score)[-n_alerts]
    above, level = y_true[score > last], y_true[score == last]
    return above.sum() + (n_alerts - len(above)) * level.mean()


@given(LABELS.filter(lambda rows: len({label for label, _ in rows}) == 2))
@random_property
def test_ties_count_as_their_expectation(rows):
    y_true, score = np.array(rows, dtype=np.int64).T
    found = alerts(y_true, score, n_alerts=range(1, len(rows) + 1))
    for n_alerts, n_found in zip(found.n_alerts, found.n_found, strict=True):
        assert n_found == pytest.approx(expected_found(y_true, score, n_alerts))
    assert found.n_found[-1] == y_true.sum()


def test_recall_precision_and_rate_are_shares_of_what_is_found():
    rng = np.random.default_rng(0)
    y_true, score = rng.random(500) < 0.1, rng.normal(size=500)
    counts = [1, 7, 50, 500]
    found = alerts(y_true, score, n_alerts=counts, costs=(2, 30))
    for i, n_alerts in enumerate(counts):
        top = np.argsort(-score)[:n_alerts]
        n_found = y_true[top].sum()
        assert found.n_found[i] == n_found
        assert found.recall[i] == n_found / y_true.sum()
        assert found.precision[i] == n_found / n_alerts
        false_positives = n_alerts - n_found
        assert found.false_positive_rate[i] == false_positives / (~y_true).sum()
        assert found.cost[i] == pytest.approx(
            2 * n_alerts + 30 * (y_true.sum() - n_found)
        )
    assert found.cheapest == counts[int(np.argmin(found.cost))]
    assert np.all((found.cost_low <= found.cost) & (found.cost <= found.cost_high))


def test_precision_at_the_positives_is_the_average_precision():
    rng = np.random.default_rng(0)
    y_true, score = rng.random(300) < 0.1, rng.normal(size=300)
    places = 1 + np.flatnonzero(y_true[np.argsort(-score)])
    found = alerts(y_true, score, n_alerts=places.tolist())
    assert found.precision.mean() == pytest.approx(
        average_precision_score(y_true, score)
    )


@pytest.mark.parametrize("rate", [0.001, 0.01, 0.2, 0.9])
def test_a_false_positive_rate_is_kept_by_the_lowest_threshold_that_keeps_it(rate):
    rng = np.random.default_rng(1)
    score = rng.integers(0, 40, size=2000) + rng.integers(0, 2, 2000) / 2
    y_true = rng.random(2000) < score / 200
    score[y_true] += 1.0
    score[np.argmax(y_true)] = 99
    found = alerts(y_true, score, false_positive_rates=[rate])
    kept = [
        np.sum(score >= t)
        for t in np.unique(score)
        if np.mean(score[~y_true] >= t) <= rate
    ]
    assert found.n_alerts[0] == max(kept)
    assert found.false_positive_rate[0] <= rate


@pytest.mark.parametrize("level", [0.5, 0.95, 0.999])
@pytest.mark.parametrize(("n_found", "n_rows"), [(0, 10), (3, 10), (10, 10), (1, 5000)])
def test_intervals_are_wilsons(n_found, n_rows, level):
    low, high = wilson(n_found / n_rows, n_rows, level)
    expected = binomtest(n_found, n_rows).proportion_ci(level, method="wilson")
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=1e-15)


@pytest.mark.parametrize("n_alerts", [None, [1, 2], 2.5])
def test_the_overlap_is_of_one_number_of_alerts(n_alerts):
    with pytest.raises(ValueError, match="n_alerts must be a whole number"):
        alert_overlap([1, 0, 0], [3, 2, 1], [1, 2, 3], n_alerts)


def test_the_overlap_lists_every_positive_once_the_hardest_first():
    rng = np.random.default_rng(0)
    y_true = rng.random(400) < 0.2
    first, second = rng.normal(size=(2, 400)) + 2 * y_true
    overlap = alert_overlap(y_true, first, second, 40)
    top = [set(np.argsort(-score)[:40]) for score in (first, second)]
    positives = set(np.flatnonzero(y_true))
    assert set(overlap.both) == positives & top[0] & top[1]
    assert set(overlap.only_first) == (positives & top[0]) - top[1]
    assert set(overlap.only_second) == (positives & top[1]) - top[0]
    assert set(overlap.neither) == positives - top[0] - top[1]
    best = np.minimum(overlap.first_rank, overlap.second_rank)[overlap.neither]
    assert np.all(np.diff(best) <= 0)
    sizes = len(overlap.only_first), len(overlap.only_second)
    assert overlap.p_value == binomtest(sizes[0], sum(sizes)).pvalue
    table = overlap.to_pandas()
    assert sorted(table["row"]) == sorted(positives)


def test_equal_scores_that_do_not_fit_get_no_alert():
    overlap = alert_overlap([1, 1, 1, 0], [3, 3, 3, 1], [4, 3, 2, 1], 2)
    assert overlap.only_first.size == overlap.both.size == 0
    assert set(overlap.only_second) == {0, 1}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y_true": [0, 0, 0]}, "y_true must be labels of two classes"),
        ({"y_true": [0, 2, 1]}, "y_true must be a whole number"),
        ({"y_true": [[0], [1], [0]]}, r"y_true must be of shape \(n_samples,\); got"),
        ({"y_true": ["ok", "fraud", "ok"]}, "'fraud'.. Pass y == 'fraud', if that"),
        ({"score": [1, np.nan, 2]}, "score must be finite; got nan"),
        ({"score": [1, 2]}, "score must be of shape"),
        ({"n_alerts": [0]}, "n_alerts must be a whole number >= 1"),
        ({"n_alerts": [4]}, "n_alerts must be at most 3"),
        ({"n_alerts": [1], "false_positive_rates": [0.1]}, "n_alerts must be None"),
        ({"false_positive_rates": [0.1]}, "false_positive_rates must be reached"),
        ({"false_positive_rates": [1.0]}, "false_positive_rates must be between"),
        ({"costs": (1, -1)}, "costs must be a pair"),
        ({"costs": (1, np.nan)}, "costs must be a pair"),
        ({"costs": (1, [2, 3])}, "costs must be a pair"),
        ({"costs": (1, [2, -3, 4])}, "costs must be a pair .* '-3 in row 1'"),
        ({"costs": 5}, "costs must be a pair"),
        ({"costs": (1, "much")}, "costs must be a pair"),
        ({"costs": {"alert": 1}}, "costs must be a dict of"),
        ({"costs": {"alert": 1, "miss": 2, "hit": 3}}, "costs must be a dict of"),
        ({"level": 1}, "level must be between"),
    ],
)
def test_wrong_arguments_are_named(change, message):
    right = {"y_true": [0, 1, 0], "score": [3, 2, 1]}
    with pytest.raises(ValueError, match=message):
        alerts(**{**right, **change})


def test_a_single_number_is_taken_for_one():
    y_true, score = [0, 1, 0, 1], [3, 4, 1, 2]
    assert alerts(y_true, score, n_alerts=2).n_alerts.tolist() == [2]
    assert alerts(y_true, score, n_alerts=np.int64(2)).recall.tolist() == [0.5]
    assert alerts(y_true, score, false_positive_rates=0.5).n_alerts.tolist() == [3]


def test_the_cheapest_number_needs_costs():
    with pytest.raises(ValueError, match="costs must be given"):
        _ = alerts([0, 1], [1, 2]).cheapest


@pytest.fixture(scope="module")
def payments():
    """Labels, scores with ties, and amounts."""
    rng = np.random.default_rng(3)
    probability = rng.beta(0.2, 4, size=800)
    y_true = (rng.random(800) < probability).astype(int)
    return y_true, probability.round(2), rng.lognormal(3, 1.5, size=800)


def total_cost(y_true, alert, of_alert, of_miss):
    return np.sum(of_alert * alert) + np.sum(of_miss * y_true * ~alert)


def test_costs_of_each_row(payments):
    y_true, score, amount = payments
    of_alert = np.where(score > 0.5, 9.0, 4.0)
    found = alerts(y_true, score, costs=(of_alert, amount))
    whole = np.flatnonzero(np.isin(found.n_alerts, [np.sum(score >= t) for t in score]))
    assert len(whole) > 10
    for i in whole:
        alert = score >= found.threshold[i]
        assert alert.sum() == found.n_alerts[i]
        expected = total_cost(y_true, alert, of_alert, amount)
        assert found.cost[i] == pytest.approx(expected)
    assert np.all((found.cost_low <= found.cost) & (found.cost <= found.cost_high))


def test_costs_by_name_and_in_a_series(payments):
    y_true, score, amount = payments
    expected = alerts(y_true, score, costs=(5, amount)).cost
    by_name = {"miss": amount.tolist(), "alert": 5}
    np.testing.assert_array_equal(alerts(y_true, score, costs=by_name).cost, expected)


def test_costs_that_are_equal_have_the_interval_of_the_recall(payments):
    y_true, score, _ = payments
    found = alerts(y_true, score, costs=(2, np.full(800, 30.0)))
    for cost, recall in (
        (found.cost, found.recall),
        (found.cost_low, found.recall_high),
        (found.cost_high, found.recall_low),
    ):
        missed = found.n_positive * (1 - recall)
        np.testing.assert_allclose(cost, 2 * found.n_alerts + 30 * missed)


def test_unequal_costs_have_a_wider_interval(payments):
    y_true, score, amount = payments
    mean = amount[y_true == 1].mean()
    found = alerts(y_true, score, n_alerts=40, costs=(0, amount))
    equal = alerts(y_true, score, n_alerts=40, costs=(0, mean))
    width, expected = (r.cost_high - r.cost_low for r in (found, equal))
    assert width > 1.2 * expected


@pytest.mark.parametrize("of_alert", [0.5, 8, 1e6])
def test_the_cheapest_threshold_is_that_of_all(payments, of_alert):
    y_true, score, amount = payments
    found = cheapest_threshold(y_true, score, (of_alert, amount), n_resamples=20)
    costs = {
        t: total_cost(y_true, score >= t, of_alert, amount)
        for t in (*np.unique(score), np.inf)
    }
    assert found.cost == pytest.approx(min(costs.values()))
    assert costs[found.threshold] == pytest.approx(found.cost)
    assert found.n_alerts == np.sum(score >= found.threshold)
    assert found.low <= found.threshold <= found.high
    assert (found.threshold == np.inf) == (of_alert == 1e6)


def test_the_interval_has_the_threshold_of_the_costs():
    """A probability that is right pays above cost of an alert / cost of a miss."""
    rng = np.random.default_rng(0)
    probability = rng.beta(0.3, 6, size=40_000)
    y_true = rng.random(40_000) < probability
    found = cheapest_threshold(y_true, probability, (3, 20), random_state=1)
    assert found.low < 0.15 < found.high
    assert found.high - found.low < 0.1
    narrow = cheapest_threshold(y_true, probability, (3, 20), level=0.5, random_state=1)
    assert found.low <= narrow.low <= narrow.high <= found.high


def test_amounts_pay_where_the_expected_loss_is_above_the_cost_of_an_alert():
    rng = np.random.default_rng(0)
    probability, amount = rng.beta(0.3, 6, 40_000), rng.lognormal(3, 1, 40_000)
    y_true = rng.random(40_000) < probability
    costs = {"alert": 5, "miss": amount}
    by_loss = cheapest_threshold(y_true, probability * amount, costs, n_resamples=50)
    assert by_loss.low < 5 < by_loss.high
    by_probability = cheapest_threshold(y_true, probability, costs, n_resamples=1)
    assert by_loss.cost < 0.95 * by_probability.cost


def test_resamples_are_repeatable(payments):
    y_true, score, amount = payments
    arguments = (y_true, score, (5, amount))
    assert cheapest_threshold(*arguments) == cheapest_threshold(*arguments)
    for change, message in (
        ({"n_resamples": 0}, "n_resamples must be a whole number >= 1"),
        ({"level": 2}, "level must be between"),
    ):
        with pytest.raises(ValueError, match=message):
            cheapest_threshold(*arguments, **change)
