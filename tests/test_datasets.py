"""The simulated card payments: columns, labels and their true probabilities."""

import sys
import time

import numpy as np
import pytest
from optional import optional
from scipy import stats
from scipy.special import expit
from sklearn.metrics import average_precision_score

from focalboost.datasets import N_DAYS, make_transactions


def make(*sizes, **options):
    return make_transactions(*sizes, as_frame=False, **options)


@pytest.fixture(scope="module")
def stream():
    return make(200_000, prevalence=0.01, random_state=0)


def test_an_int_gives_the_same_stream_and_another_int_another():
    first, again, other = (make(2000, random_state=seed) for seed in (3, 3, 4))
    for name, column in first.data.items():
        np.testing.assert_array_equal(column, again.data[name])
    np.testing.assert_array_equal(first.target, again.target)
    np.testing.assert_array_equal(first.probability, again.probability)
    assert (first.data["amount"] != other.data["amount"]).any()


def test_a_generator_goes_on_where_it_stands():
    rng = np.random.default_rng(3)
    first, second = make(500, random_state=rng), make(500, random_state=rng)
    np.testing.assert_array_equal(
        first.probability, make(500, random_state=3).probability
    )
    assert (first.probability != second.probability).any()


@pytest.mark.parametrize("n_samples", [1, 2, 30, 700])
@pytest.mark.parametrize("prevalence", [1e-9, 0.001, 0.5])
def test_probabilities_have_the_prevalence_at_every_size(n_samples, prevalence):
    made = make(n_samples, prevalence=prevalence, random_state=1)
    assert made.probability.mean() == pytest.approx(prevalence, rel=1e-9)
    assert 0 < made.probability.min() <= made.probability.max() < 1
    assert {len(column) for column in made.data.values()} == {n_samples}
    assert set(made.target) <= {0, 1}


@pytest.mark.parametrize("prevalence", [1 / 31, 0.001, 1e-4])
def test_labels_have_the_prevalence_within_their_binomial_error(prevalence):
    made = make(300_000, prevalence=prevalence, random_state=2)
    n_positive = int(made.target.sum())
    assert stats.binomtest(n_positive, 300_000, prevalence).pvalue > 0.001
    # The same test has to notice a prevalence that is half as large again.
    if prevalence > 1e-4:
        wrong = stats.binomtest(n_positive, 300_000, 1.5 * prevalence)
        assert wrong.pvalue < 0.001


def test_labels_follow_the_probabilities(stream):
    target, probability = stream.target, stream.probability
    order = np.argsort(probability)
    # Groups of equally many expected frauds, from the least to the most suspect rows.
    expected = np.cumsum(probability[order])
    group = np.floor(20 * expected / (expected[-1] * (1 + 1e-9))).astype(int)
    surplus = np.bincount(group, (target - probability)[order])
    variance = np.bincount(group, (probability * (1 - probability))[order])
    chi2 = float(np.sum(surplus**2 / variance))
    assert stats.chi2.sf(chi2, df=20) > 0.001
    # The same test has to notice a probability that is a fifth too small.
    shifted = np.bincount(group, (target - 0.8 * probability)[order])
    assert stats.chi2.sf(float(np.sum(shifted**2 / variance)), df=20) < 0.001


def test_probabilities_are_those_of_the_documented_formulas(stream):
    d = stream.data
    online = d["channel"] == stream.categories["channel"].index("online")
    distance = np.nan_to_num(d["distance_km"])
    far = expit((np.log1p(distance) - 4.2) / 0.2)
    large = expit((np.log(d["amount_to_usual"]) - 1.4) / 0.15)
    rapid = expit((d["payments_24h"] - 5.5) / 0.7)
    disputed = expit((d["terminal_disputes_28d"] - 2.5) / 0.3)
    late = expit((d["hour"] - 19) / 0.5)
    trend = (d["time"] - d["time"][0].astype("datetime64[D]")) / np.timedelta64(
        120, "D"
    )
    logs = {
        "stolen card": (10 * far + 9 * large + 2 * rapid) * ~online - 17.5,
        "skimmed terminal": (11 * disputed + 8 * late - trend) * ~online - 16.5,
    }
    shifts = [
        np.log(k / (1 - k)) - logs[n] for n, k in stream.kinds.items() if n in logs
    ]
    np.testing.assert_allclose(shifts, shifts[0][0], atol=1e-6)
    fraud = 1 - np.prod([1 - kind for kind in stream.kinds.values()], axis=0)
    np.testing.assert_allclose(
        stream.probability, 0.92 * fraud + 0.02 * 0.01 * (1 - fraud), rtol=1e-9
    )


def test_every_kind_of_fraud_occurs_and_some_are_hard():
    kinds = make(200_000, random_state=0).kinds
    total = sum(kind.sum() for kind in kinds.values())
    share = {name: kind.sum() / total for name, kind in kinds.items()}
    assert min(share.values()) > 0.1
    # The share of each kind that happens where that kind is likely.
    likely = {name: k[k > 0.3].sum() / k.sum() for name, k in kinds.items()}
    assert likely["stolen card"] > 0.5
    assert likely["account takeover"] < 0.1


def test_the_best_ranking_is_hard_to_reach_and_far_above_chance():
    made = make(200_000, random_state=0)
    best = average_precision_score(made.target, made.probability)
    assert 0.45 < best < 0.75
    # Half of the positives cannot be told from others by one column.
    singles = [
        average_precision_score(made.target, np.nan_to_num(sign * column.astype(float)))
        for column in made.data.values()
        for sign in (1, -1)
    ]
    assert max(singles) < best / 3


DTYPES = {
    "time": "datetime64[s]",
    **dict.fromkeys(("weekday", "category", "channel", "country"), "int8"),
    **dict.fromkeys(("customer", "terminal", "payments_24h"), "int32"),
    **dict.fromkeys(("terminal_payments_1h", "terminal_disputes_28d"), "int32"),
    **dict.fromkeys(("new_category", "guest"), "bool"),
}


def test_columns_have_the_documented_types_and_ranges(stream):
    d = stream.data
    for name, column in d.items():
        assert column.dtype == DTYPES.get(name, "float64"), name
    assert (np.diff(d["time"]) >= np.timedelta64(0, "s")).all()
    assert d["time"][-1] - d["time"][0] < np.timedelta64(N_DAYS, "D")
    assert d["hour"].min() >= 0
    assert d["hour"].max() < 24
    assert set(d["weekday"]) == set(range(7))
    assert (
        d["weekday"] == (d["time"].astype("datetime64[D]").astype(int) + 3) % 7
    ).all()
    assert d["amount"].min() >= 0
    for name, names in stream.categories.items():
        assert set(d[name]) == set(range(len(names)))


def test_features_are_all_columns_but_the_time_and_the_numbers_of_who_and_where(stream):
    left_out = set(stream.data) - set(stream.feature_names)
    assert left_out == {"time", "customer", "terminal"}


def test_columns_are_missing_where_the_documentation_says(stream):
    d = stream.data
    online = d["channel"] == stream.categories["channel"].index("online")
    missing = {name: np.isnan(c) for name, c in d.items() if c.dtype == np.float64}
    assert 0.25 < online.mean() < 0.35
    np.testing.assert_array_equal(missing.pop("distance_km"), online)
    np.testing.assert_array_equal(missing.pop("device_age_days"), ~online | d["guest"])
    assert not (d["guest"] & ~online).any()
    first = np.unique(d["customer"], return_index=True)[1]
    np.testing.assert_array_equal(
        np.flatnonzero(missing.pop("hours_since_payment")), np.sort(first)
    )
    assert 0.03 < missing.pop("contact_age_days").mean() < 0.07
    assert not any(column.any() for column in missing.values())


def test_counts_of_the_last_hours_are_those_of_the_rows_before():
    d = make(3000, random_state=0).data
    seconds = d["time"].astype(int)
    rows = np.arange(3000)
    for key, count, window in (
        ("customer", "payments_24h", 86_400),
        ("terminal", "terminal_payments_1h", 3600),
    ):
        same = (d[key][:, None] == d[key]) & (rows[:, None] > rows)
        age = seconds[:, None] - seconds
        # Times are cut to seconds, so rows at the edge of the window may be in or out.
        surely, perhaps = ((same & (age < window + s)).sum(1) for s in (-1, 2))
        assert (surely <= d[count]).all()
        assert (d[count] <= perhaps).all()
    assert d["terminal_payments_1h"].max() > 5


def test_new_categories_are_first_payments():
    d = make(20_000, random_state=0).data
    pair = d["customer"] * 8 + d["category"]
    is_first = np.zeros(20_000, bool)
    is_first[np.unique(pair, return_index=True)[1]] = True
    assert not (d["new_category"] & ~is_first).any()
    assert d["new_category"].any()


def test_a_frame_holds_the_same_with_names_for_codes(stream):
    pandas = optional("pandas")
    made = make_transactions(200_000, prevalence=0.01, random_state=0)
    assert list(made.data) == list(stream.data)
    assert made.data.shape == (200_000, 19)
    assert list(made.data["channel"].cat.categories) == [
        "chip",
        "contactless",
        "online",
    ]
    for name, column in stream.data.items():
        found = made.data[name]
        found = found.cat.codes if name in made.categories else found
        np.testing.assert_array_equal(found.to_numpy(), column)
    assert isinstance(made.kinds, pandas.DataFrame)
    np.testing.assert_array_equal(made.target, stream.target)


def test_without_pandas_there_are_arrays(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    make(100)
    with pytest.raises(
        ModuleNotFoundError, match="pip install pandas, or use as_frame"
    ):
        make_transactions(100)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_samples": 0}, "n_samples must be a whole number >= 1; got 0"),
        ({"n_samples": 300.0}, r"got 300\.0\. Use n_samples=300\."),
        ({"prevalence": 0}, "prevalence must be above 0 and at most 0.5; got 0"),
        ({"prevalence": 0.6}, "got 0.6. Use prevalence=0.001"),
        ({"prevalence": float("nan")}, "got nan"),
    ],
)
def test_arguments_out_of_range_are_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_transactions(**arguments)


@pytest.mark.slow
def test_three_million_payments_take_seconds():
    optional("pandas")
    start = time.perf_counter()
    made = make_transactions(3_000_000, random_state=0)
    print(f"3 000 000 payments in {time.perf_counter() - start:.1f} s")
    assert made.data.shape == (3_000_000, 19)
